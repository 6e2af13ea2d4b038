package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/observe"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// ActPath is the path of the confirmation of an action (GET), and of the action (POST).
const ActPath = page.Base + "/act"

// Actor performs the actions that are not the pages' own.
type Actor interface {
	// CheckDestination tests a destination as "gatewayctl destination check" does.
	CheckDestination(ctx context.Context, v *live.View, id string) (*adminapi.CheckReport, error)
	// RestoreTrash restores what was deleted from a repository since a time.
	RestoreTrash(ctx context.Context, v *live.View, req adminapi.TrashRequest) (adminapi.TrashDone, error)
}

// action is an action of the pages.
type action struct {
	// prepare says what will happen, or why the action makes no sense.
	prepare func(f *status.Facts, ask *page.Action) error
	// do performs it, and describes the result.
	do func(d *Dashboard, ctx context.Context, v *live.View, ask *page.Action, by string) (string, error)
}

// actions maps names in URLs and in the audit log to actions.
var actions = map[string]action{
	"run":         {prepareSchedule("Run %s now?", "All its modules are backed up at once, as at its time: their data is read, and what is new is stored. Old snapshots then go as the schedule says. The node's scheduler begins within seconds; where nothing runs what is asked for, it is forgotten after an hour."), (*Dashboard).doRun},
	"pause":       {prepareSchedule("Pause %s?", "Nothing of it is backed up until the pause ends: its runs are skipped, and recorded as skipped. What is going on goes on."), (*Dashboard).doPause},
	"resume":      {prepareSchedule("Resume %s?", "Its next run comes at its next time."), (*Dashboard).doResume},
	"check":       {prepareCheck, (*Dashboard).doCheck},
	"restore":     {prepareRestore, (*Dashboard).doRestore},
	"acknowledge": {prepareAcknowledge, (*Dashboard).doAcknowledge},
}

// addActions adds the routes of actions if they are allowed.
func (r *routes) addActions(admit admitter) {
	if r.opts.Actor == nil {
		return
	}
	for name, a := range actions {
		r.look(ActPath+"/"+name, func(w *observe.Response, req *http.Request) error {
			who, err := admit(w, req)
			if err != nil || who == nil {
				return turnAway(w, req, err)
			}
			return r.askFirst(w, req, who, name, a)
		})
		r.act(ActPath+"/"+name, func(w *observe.Response, req *http.Request) error {
			who, err := admit(w, req)
			if err != nil || who == nil {
				return turnAway(w, req, err)
			}
			return r.perform(w, req, who, name, a)
		})
	}
}

// askFirst shows what will happen, and a button.
func (d *Dashboard) askFirst(w *observe.Response, r *http.Request, who *viewer, name string, a action) error {
	p, err := d.prepare(r, who, name, a, parseAction(r, name))
	if err != nil {
		return err
	}
	return sendPage(w, r, http.StatusOK, p, "act")
}

// prepare prepares the page of an action.
func (d *Dashboard) prepare(r *http.Request, who *viewer, name string, a action, ask page.Action) (*page.Page, error) {
	if d.opts.State.Latest() == nil {
		return nil, refusal.ErrUnready
	}
	ask.Name = name
	facts := d.facts(r.Context(), false)
	if err := a.prepare(facts, &ask); err != nil {
		return nil, err
	}
	p := newPage(who, r, ask.Title)
	p.Token = who.token
	p.Facts, p.Action = facts, &ask
	return p, nil
}

// perform performs an action, records it, and shows the result.
func (d *Dashboard) perform(w *observe.Response, r *http.Request, who *viewer, name string, a action) error {
	if !d.genuine(who, r.PostForm.Get("token")) {
		return fmt.Errorf("%w: the form is not of this session", refusal.ErrForbidden)
	}
	p, err := d.prepare(r, who, name, a, parsePostedAction(r, name))
	if err != nil {
		return err
	}
	ask := p.Action
	said, err := a.do(d, r.Context(), d.opts.State.Latest(), ask, who.user)
	d.reader.Forget() // so that the next page shows the result
	event := audit.Event{
		What: name, Who: who.user, From: r.RemoteAddr, Destination: ask.Destination, Repository: ask.Repository,
		Object: ask.Object(), Request: w.ID(), Result: "ok", Detail: said,
	}
	code := http.StatusOK
	if err != nil {
		code = refusal.Status(err)
		ask.Failed, said = true, explain(err)
		event.Result, event.Detail = strconv.Itoa(code), err.Error()
	}
	d.opts.Audit.Write(event)
	ask.Said = said
	return sendPage(w, r, code, p, "acted")
}

// explain tells people why an action failed. The storage's message stays in the audit log.
func explain(err error) string {
	switch {
	case redis.IsPermissionError(err), redis.HasErrorPrefix(err, "EXECABORT"):
		return "The gateway's user may not write that to Redis. On NethServer 8 use the cluster's own pages; elsewhere run gatewayctl node add once more, which gives the node's user that right, or do it with gatewayctl."
	case errors.Is(err, refusal.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "It is not there any longer."
	}
	return "It did not work. The audit log, on the page about activity, says more."
}

// genuine reports whether a form was created for the session that sends it.
func (d *Dashboard) genuine(who *viewer, token string) bool {
	if who.session != nil {
		return d.sessions.Genuine(who.session.ID, token)
	}
	return d.sessions.Genuine(hostSession, token)
}

// hostSession stands for the missing session of callers on the administrative socket.
const hostSession = "administrative socket"

var errNoSuch = fmt.Errorf("%w: nothing of that name", refusal.ErrNotFound)

func prepareSchedule(title, what string) func(*status.Facts, *page.Action) error {
	return func(f *status.Facts, ask *page.Action) error {
		for i := range f.Schedules {
			s := &f.Schedules[i]
			if s.ID == ask.Schedule {
				ask.Title, ask.What, ask.Back = fmt.Sprintf(title, s.Name), what, page.Base+"/runs"
				return nil
			}
		}
		return errNoSuch
	}
}

func prepareCheck(f *status.Facts, ask *page.Action) error {
	found := f.Destination(ask.Destination)
	if found == nil {
		return errNoSuch
	}
	ask.Title, ask.Back = "Check "+found.Name+"?", page.Base+"/destinations/"+found.ID
	ask.What = "It is listed, a small file and one of 16 MiB are written, read back, compared and deleted. Backups are not touched, and go on meanwhile. It takes some seconds."
	return nil
}

func prepareRestore(f *status.Facts, ask *page.Action) error {
	destination, m := f.Destination(ask.Destination), f.Module(ask.Repository)
	if destination == nil || m == nil {
		return errNoSuch
	}
	ask.Title, ask.Back = "Restore what was deleted of "+m.Name+"?", page.Base+"/modules/"+m.Path()
	ask.What = "Everything of its repository at " + destination.Name + " that the trash still has, and that was deleted since the time you choose, comes back: snapshots that retention has removed, too. Nothing is overwritten. The next retention removes old snapshots again."
	return nil
}

func prepareAcknowledge(f *status.Facts, ask *page.Action) error {
	for i := range f.Attention {
		a := &f.Attention[i]
		if a.ID == ask.Attention {
			ask.Title, ask.Back = "Acknowledge it?", page.Base+"/attention"
			ask.What = a.What + ". It stays on the list, with your name, and the verdict does not count it for a week. What is new is counted."
			return nil
		}
	}
	return errNoSuch
}

func (d *Dashboard) doRun(ctx context.Context, _ *live.View, ask *page.Action, by string) (string, error) {
	if err := d.needNode(); err != nil {
		return "", err
	}
	return "The nodes are asked to begin. What runs is on the page about runs.", status.RequestRun(ctx, d.writer, d.opts.Node, ask.Schedule, by, time.Now())
}

func (d *Dashboard) doPause(ctx context.Context, _ *live.View, ask *page.Action, _ string) (string, error) {
	now := time.Now()
	until := time.Time{}
	said := "It is paused until somebody resumes it."
	if ask.For > 0 {
		until = now.Add(ask.For)
		said = "It is paused until " + until.UTC().Format(time.RFC3339) + "."
	}
	return said, status.Pause(ctx, d.writer, ask.Schedule, now, until)
}

func (d *Dashboard) doResume(ctx context.Context, _ *live.View, ask *page.Action, _ string) (string, error) {
	return "It goes on at its next time.", status.Resume(ctx, d.writer, ask.Schedule)
}

func (d *Dashboard) doCheck(ctx context.Context, v *live.View, ask *page.Action, _ string) (string, error) {
	report, err := d.opts.Actor.CheckDestination(ctx, v, ask.Destination)
	if err != nil {
		return "", err
	}
	for _, step := range report.Steps {
		word := "failed"
		if step.OK {
			word = "done"
		}
		ask.Lines = append(ask.Lines, fmt.Sprintf("%s: %s, %.1f s", step.Name, word, step.Seconds))
	}
	ask.Lines = append(ask.Lines, report.Notes...)
	switch {
	case report.Node != "":
		ask.Failed = true
		return "It is on the disk of node " + report.Node + ": check it on the page of that node's gateway.", nil
	case report.Error != "":
		ask.Failed = true
		return "It does not work: " + report.Reason, nil
	}
	return "It works.", nil
}

func (d *Dashboard) doRestore(ctx context.Context, v *live.View, ask *page.Action, _ string) (string, error) {
	done, err := d.opts.Actor.RestoreTrash(ctx, v, adminapi.TrashRequest{
		Destination: ask.Destination, Repository: ask.Repository, Since: time.Now().Add(-ask.Since),
	})
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%d objects came back, %d bytes.", done.Objects, done.Bytes)
	if done.Skipped > 0 {
		said += fmt.Sprintf(" %d were left out, since they are there already.", done.Skipped)
	}
	return said, nil
}

func (d *Dashboard) doAcknowledge(ctx context.Context, _ *live.View, ask *page.Action, by string) (string, error) {
	if err := d.needNode(); err != nil {
		return "", err
	}
	err := status.Acknowledge(ctx, d.writer, d.opts.Node, ask.Attention, status.Noticed{By: by, At: time.Now()})
	return "It is acknowledged for a week.", err
}

// needNode refuses actions that write below the keys of a node, if the node is not known.
func (d *Dashboard) needNode() error {
	if d.opts.Node == "" {
		return fmt.Errorf("this is kept in Redis below node/NODE/, and this gateway has no --node-id: %w", errors.ErrUnsupported)
	}
	return nil
}
