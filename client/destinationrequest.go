package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
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
		return malformed([]destination.Problem{{Field: destination.ParamBasePath, Kind: destination.WrongType}})
	}
	r.params[destination.ParamBasePath] = &path
	return nil
}

// add tests and saves a new destination.
func (d *destinations) add(ctx context.Context, r *destinationRequest) (added, error) {
	p, ok := destination.ProviderOf(r.provider)
	if !ok {
		return added{}, malformed([]destination.Problem{{Field: "provider", Kind: destination.NotOneOf}})
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
	} else if _, absent := errors.AsType[*fault](err); !absent {
		return added{}, err
	}
	storage, err := p.NewStorage(text(r.url), r.params, nil)
	if err != nil {
		return added{}, confFault(err)
	}
	rec := record{id: id, provider: p.Name, password: r.password}
	if rec.password == "" {
		rec.password = newPassword()
	}
	if err := d.complete(ctx, &rec, storage, text(r.name)); err != nil {
		return added{}, err
	}
	if err := d.test(ctx, rec, r, actionRefused); err != nil {
		return added{}, err
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
		return newFault("provider", "backup_provider_mismatch", r.provider, actionMismatch, exitUsage, "the destination's provider is %s, which cannot change", before.provider)
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
	return d.update(ctx, before, rec, r.limits)
}

// keepsStorage tells whether a change is of name and limits alone.
func (r *destinationRequest) keepsStorage() bool { return text(r.url) == "" && len(r.params) == 0 }

// alterStorage changes place and keys of a destination, and tests it then.
func (d *destinations) alterStorage(ctx context.Context, rec *record, r *destinationRequest) error {
	p, ok := destination.ProviderOf(rec.provider)
	if !ok {
		return malformed([]destination.Problem{{Field: "provider", Kind: destination.NotOneOf}})
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
	return d.test(ctx, *rec, r, actionNoAccess)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func confFault(err error) error {
	return newFault("parameters", destination.ConfError, "***", actionRefused, exitInvalid, "%v", err)
}

// complete fills in what the storage says, with passwords obscured.
func (d *destinations) complete(ctx context.Context, rec *record, storage destination.Storage, name string) error {
	section := maps.Clone(storage.Section)
	plain := map[string]string{}
	for _, key := range storage.Plain {
		plain[key] = section[key]
	}
	if len(plain) > 0 {
		obscured, err := d.sys.obscure(ctx, section["type"], plain)
		if err != nil {
			return err
		}
		maps.Copy(section, obscured)
	}
	conf, err := catalog.FormatSection(rec.id, section)
	if err != nil {
		return confFault(err)
	}
	rec.conf, rec.url, rec.basePath, rec.name = conf, storage.URL, storage.BasePath, name
	if rec.name == "" {
		rec.name = destination.DefaultName(rec.provider, rec.url, rec.id)
	}
	return nil
}

// test has the gateway test what is about to be saved. Action is the exit status
// of the action where the destination fails.
func (d *destinations) test(ctx context.Context, rec record, r *destinationRequest, action exitCode) error {
	if r.noTest {
		return nil
	}
	report, err := d.sys.checkDestination(ctx, adminapi.CheckRequest{ID: rec.id, Candidate: rec.candidate()})
	if err != nil {
		reason := err.Error()
		if _, away := errors.AsType[gatewayAway](err); away {
			reason += "; so nothing was tested: start it, or save the destination untested with --no-test and test it with \"rclone-gateway check-destination\""
		}
		return &fault{
			problems: []destination.Problem{{Field: "parameters", Kind: adminapi.NotAccessible}}, value: map[string]any{},
			action: action, code: exitCode(exitCodeOf(ctx, err)), reason: reason, told: adminapi.NotAccessible + ": " + reason,
		}
	}
	if report.Node != "" {
		d.sys.warnf("destination %s was not tested: %s", rec.id, report.Reason)
	}
	return reportFault(report, action)
}

func (r record) candidate() *adminapi.Candidate {
	return &adminapi.Candidate{Provider: r.provider, URL: r.url, BasePath: r.basePath, Section: r.conf}
}

// reportFault is the fault that a report tells of, nil for none.
func reportFault(report *adminapi.CheckReport, action exitCode) error {
	if report.Error == "" {
		return nil
	}
	code := exitForbidden
	if report.Error == adminapi.NotAccessible {
		code = exitUnreachable
	}
	reason := report.Reason
	if report.Detail != "" {
		reason += " (" + report.Detail + ")"
	}
	return newFault("parameters", report.Error, map[string]any{}, action, code, "%s", reason)
}

// newPassword makes a restic password: 64 hex digits.
func newPassword() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// act runs an action: it reads the request from stdin, and tells faults in the
// form of NethServer 8's agent.
func (s *system) act(do func(raw map[string]any) (output any, err error)) error {
	raw, err := s.readAction()
	var output any
	if err == nil {
		output, err = do(raw)
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return s.refuseAction(f)
	}
	if err != nil || output == nil {
		return err
	}
	if err := json.NewEncoder(s.stdout).Encode(output); err != nil {
		return fmt.Errorf("write the action's output: %w", err)
	}
	return nil
}

func (s *system) readAction() (map[string]any, error) {
	data, err := io.ReadAll(io.LimitReader(s.stdin, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("read the action's input: %w", err)
	}
	var raw map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&raw); err != nil || raw == nil {
		kind := inputNotJSON
		if len(bytes.TrimSpace(data)) == 0 {
			kind = inputEmpty
		}
		return nil, malformed([]destination.Problem{{Field: wholeInput, Kind: kind}})
	}
	return raw, nil
}

// refuseAction tells the agent about a fault.
func (s *system) refuseAction(f *fault) error {
	s.agent().setStatus("validation-failed")
	fields := make([]invalidField, len(f.problems))
	for i, p := range f.problems {
		fields[i] = invalidField{Field: p.Field, Parameter: p.Field, Value: f.value, Error: p.Kind}
	}
	if err := json.NewEncoder(s.stdout).Encode(fields); err != nil {
		return fmt.Errorf("write the errors of the input: %w", err)
	}
	return withCode(f.action, f)
}

// forPeople gives a fault the exit status and the words that people's form of a
// command has.
func forPeople(err error) error {
	if f, ok := errors.AsType[*fault](err); ok {
		if f.told != "" {
			return withCode(f.code, errors.New(f.told))
		}
		return withCode(f.code, f)
	}
	return err
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
	return r, malformed(problems)
}
