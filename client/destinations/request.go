package destinations

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// destinationRequest is what is asked for when a destination is added or altered.
type destinationRequest struct {
	id                 string // to alter
	provider, password string
	name, url          *string // nil: to be left as it is, or made up
	params             destination.Parameters
	raw                map[string]any // as it came, which the ID is made of
	limits             limitChange
	noTest             bool
	// settle decides on the password where repositories were found; nil leaves it.
	settle func(found *adminapi.Repository) (string, error)
}

// newRequest is a request of our own, with the JSON it would have as an action.
func newRequest(provider, name, url, password string, params map[string]string) *destinationRequest {
	r := &destinationRequest{provider: provider, password: password, name: &name, url: &url, params: destination.Parameters{}}
	given := map[string]any{}
	for key, value := range params {
		r.params[key], given[key] = &value, value
	}
	r.raw = map[string]any{"provider": provider, "name": name, "url": url, "password": password, "parameters": given}
	return r
}

// added is the outcome of add-backup-repository.
type added struct {
	ID       string `json:"id"`
	Password string `json:"password"`
}

// takeBasePath takes the base path from where a request to alter may have it too:
// beside the parameters.
func (r *destinationRequest) takeBasePath(raw map[string]any) error {
	value, given := raw[destination.ParamBasePath]
	_, also := r.params[destination.ParamBasePath]
	if !given || also || r.provider != destination.Rclone {
		return nil
	}
	path, isText := value.(string)
	if !isText {
		return ns8action.Malformed([]destination.Problem{{Field: destination.ParamBasePath, Kind: destination.WrongType}})
	}
	r.params[destination.ParamBasePath] = &path
	return nil
}

// add tests and saves a new destination.
func (d *destinations) add(ctx context.Context, r *destinationRequest) (added, error) {
	p, ok := destination.ProviderOf(r.provider)
	if !ok {
		return added{}, ns8action.Malformed([]destination.Problem{{Field: "provider", Kind: destination.NotOneOf}})
	}
	problems := append(p.CheckURL(text(r.url)), p.CheckParameters(r.params, false)...)
	if err := malformedOf(p, problems); err != nil {
		return added{}, err
	}
	id, err := destination.ID(r.raw)
	if err != nil {
		return added{}, err
	}
	if _, err := d.get(ctx, id); err == nil {
		return added{}, errExists
	} else if _, absent := errors.AsType[*ns8action.Fault](err); !absent {
		return added{}, err
	}
	storage, err := p.NewStorage(text(r.url), r.params, nil)
	if err != nil {
		return added{}, confFault(err)
	}
	rec := record{id: id, provider: p.Name, password: r.password}
	if rec.password == "" {
		rec.password = host.NewPassword()
	}
	if err := d.complete(ctx, &rec, storage, text(r.name)); err != nil {
		return added{}, err
	}
	found, err := d.test(ctx, rec, r, actionRefused)
	if err != nil {
		return added{}, err
	}
	if found != nil && r.settle != nil {
		if rec.password, err = r.settle(found); err != nil {
			return added{}, err
		}
	}
	return added{ID: id, Password: rec.password}, d.create(ctx, rec)
}

// alter tests and saves what is changed about a destination.
func (d *destinations) alter(ctx context.Context, r *destinationRequest) error {
	before, err := d.get(ctx, r.id)
	if err != nil {
		return err
	}
	if r.provider != before.provider {
		return ns8action.NewFault("provider", "backup_provider_mismatch", r.provider, actionMismatch, exit.Usage, "the destination's provider is %s, which cannot change", before.provider)
	}
	rec := before
	if r.name != nil {
		rec.name = cmp.Or(*r.name, destination.DefaultName(rec.provider, rec.url, rec.id))
	}
	if !r.keepsStorage() {
		if err := d.alterStorage(ctx, &rec, r); err != nil {
			return err
		}
	}
	return d.Update(ctx, before, rec, r.limits)
}

// keepsStorage reports whether a change is of name and limits alone.
func (r *destinationRequest) keepsStorage() bool { return text(r.url) == "" && len(r.params) == 0 }

// alterStorage changes place and keys of a destination, and tests it then.
func (d *destinations) alterStorage(ctx context.Context, rec *record, r *destinationRequest) error {
	p, ok := destination.ProviderOf(rec.provider)
	if !ok {
		return ns8action.Malformed([]destination.Problem{{Field: "provider", Kind: destination.NotOneOf}})
	}
	url := rec.url
	if text(r.url) != "" {
		url = *r.url
	}
	if err := malformedOf(p, append(p.CheckURL(url), p.CheckParameters(r.params, true)...)); err != nil {
		return err
	}
	params := maps.Clone(r.params)
	if _, given := params[destination.ParamBasePath]; !given && p.Name == destination.Rclone {
		if params == nil {
			params = destination.Parameters{}
		}
		params[destination.ParamBasePath] = &rec.basePath
	}
	storage, err := p.NewStorage(url, params, rec.section())
	if err != nil {
		return confFault(err)
	}
	if err := d.complete(ctx, rec, storage, rec.name); err != nil {
		return err
	}
	_, err = d.test(ctx, *rec, r, actionNoAccess)
	return err
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func confFault(err error) error {
	return ns8action.NewFault("parameters", destination.ConfError, "***", actionRefused, exit.Invalid, "%v", err)
}

// complete fills in what the storage says, with passwords obscured.
func (d *destinations) complete(ctx context.Context, rec *record, storage destination.Storage, name string) error {
	section := maps.Clone(storage.Section)
	plain := map[string]string{}
	for _, key := range storage.Plain {
		plain[key] = section[key]
	}
	if len(plain) > 0 {
		obscured, err := gatewayadmin.Obscure(ctx, d.sys, section["type"], plain)
		if err != nil {
			return err
		}
		maps.Copy(section, obscured)
	}
	conf, err := rcloneconf.Format(rec.id, section)
	if err != nil {
		return confFault(err)
	}
	rec.conf, rec.url, rec.basePath, rec.name = conf, storage.URL, storage.BasePath, name
	if rec.name == "" {
		rec.name = destination.DefaultName(rec.provider, rec.url, rec.id)
	}
	return nil
}

// test has the gateway test what is about to be saved, and returns a repository that
// is there already. Action is the exit status of the action where the destination fails.
func (d *destinations) test(ctx context.Context, rec record, r *destinationRequest, action exit.Code) (*adminapi.Repository, error) {
	if r.noTest {
		return nil, nil
	}
	report, err := gatewayadmin.Check(ctx, d.sys, adminapi.CheckRequest{ID: rec.id, Candidate: rec.candidate()})
	if err != nil {
		reason := err.Error()
		if _, away := errors.AsType[gatewayadmin.Away](err); away {
			reason += "; so nothing was tested: start it, or save the destination untested with --no-test and test it with \"rclone-gateway check-destination\""
		}
		return nil, &ns8action.Fault{
			Problems: []destination.Problem{{Field: "parameters", Kind: adminapi.NotAccessible}}, Value: map[string]any{},
			Action: action, Code: exit.Code(exit.CodeOf(ctx, err)), Reason: reason, Told: reason + " [" + adminapi.NotAccessible + "]",
		}
	}
	if report.Node != "" {
		d.sys.Warnf("destination %s was not tested: %s", rec.id, report.Reason)
	}
	for _, note := range report.Notes {
		d.sys.Warnf("%s", host.Printable(note))
	}
	return report.Repository, reportFault(report, action)
}

func (r record) candidate() *adminapi.Candidate {
	return &adminapi.Candidate{Provider: r.provider, URL: r.url, BasePath: r.basePath, Section: r.conf}
}

// reportFault is the fault in a report, nil for none.
func reportFault(report *adminapi.CheckReport, action exit.Code) error {
	if report.Error == "" {
		return nil
	}
	code := exit.Forbidden
	if report.Error == adminapi.NotAccessible {
		code = exit.Unreachable
	}
	reason := report.Reason
	if report.Detail != "" {
		reason += " (" + report.Detail + ")"
	}
	return ns8action.NewFault("parameters", report.Error, map[string]any{}, action, code, "%s", reason)
}

// actionRequest reads the fields of a request to add or alter a destination.
func actionRequest(raw map[string]any, required ...string) (*destinationRequest, error) {
	r := &destinationRequest{raw: raw, params: destination.Parameters{}}
	var problems []destination.Problem
	take := func(name string) *string {
		value, given := raw[name]
		s, isText := value.(string)
		switch {
		case given && !isText:
			problems = append(problems, destination.Problem{Field: name, Kind: destination.WrongType})
		case given:
			return &s
		case slices.Contains(required, name):
			problems = append(problems, destination.Problem{Field: name, Kind: destination.Required})
		}
		return nil
	}
	r.id, r.provider, r.password = text(take("id")), text(take("provider")), text(take("password"))
	r.name, r.url = take("name"), take("url")
	given, isObject := raw["parameters"].(map[string]any)
	switch _, there := raw["parameters"]; {
	case there && !isObject:
		problems = append(problems, destination.Problem{Field: "parameters", Kind: destination.WrongType})
	case !there && slices.Contains(required, "parameters"):
		problems = append(problems, destination.Problem{Field: "parameters", Kind: destination.Required})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		s, isText := value.(string)
		switch {
		case isText:
			r.params[name] = &s
		case value == nil:
			r.params[name] = nil
		default:
			problems = append(problems, destination.Problem{Field: "parameters." + name, Kind: destination.WrongType})
		}
	}
	return r, ns8action.Malformed(problems)
}
