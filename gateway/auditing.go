package gateway

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// prove writes a request into the audit log, where it belongs there.
func (o *observer) prove(r *http.Request, w *response, code int, err error) {
	if o.audit == nil {
		return
	}
	what := audited(r.Method, w.entry.operation, code, err)
	if what == "" && err == nil {
		what = trashActions[w.entry.path]
	}
	if what == "" {
		return
	}
	e := audit.Event{
		What: what, Who: w.entry.user, From: r.RemoteAddr,
		Destination: w.entry.destination, Repository: w.entry.repo, Object: w.entry.object(),
		Request: w.id.String(), Result: strconv.Itoa(code),
	}
	if w.entry.node != "" {
		e.Detail = "passed on to node " + w.entry.node
	}
	if what == audit.Refused {
		e.Detail = strings.TrimPrefix(e.Detail+"; "+r.Method+": "+err.Error(), "; ")
	}
	o.audit.Write(e)
}

// trashActions are what the audit log calls what is done to the trash, by the path.
var trashActions = map[string]string{
	adminapi.TrashRestorePath: "restore",
	adminapi.TrashEmptyPath:   "empty",
	adminapi.RollbackPath:     "rollback",
}

// audited returns what the audit log calls a request, "" where it does not hold such:
// what is deleted, what nodes change of keys and configs, and what is refused of a user
// that is known.
func audited(method string, op operation.Operation, code int, err error) string {
	succeeded := err == nil && code < http.StatusBadRequest
	switch {
	case refusal.AuthReason(err) == "scope", errors.Is(err, refusal.ErrForbidden), errors.Is(err, refusal.ErrForm), errors.Is(err, refusal.ErrRate):
		return audit.Refused
	case !succeeded:
		return ""
	case op == operation.Remove, op == operation.RemoveLock, op == operation.Change && method == http.MethodDelete:
		return "delete"
	case op == operation.SaveKey, op == operation.SaveConfig:
		return "save"
	case op == operation.Change && (method == "MOVE" || method == "COPY"):
		return strings.ToLower(method)
	}
	return ""
}

const (
	// auditInterval lies between writes of the head to Redis.
	auditInterval = time.Minute
	// auditTimeout bounds what is asked of Redis for it.
	auditTimeout = 10 * time.Second
)

// auditKeeper writes into the audit log what Redis says of changes, and the head of the
// log into Redis.
type auditKeeper struct {
	opts *Options
	wake chan struct{}
	last string // the last change that is written
	head audit.Head
}

func newAuditKeeper(opts *Options) *auditKeeper {
	k := &auditKeeper{opts: opts, wake: make(chan struct{}, 1)}
	if opts.Audit != nil && opts.AuditState != "" {
		if content, err := os.ReadFile(opts.AuditState); err == nil {
			k.last = strings.TrimSpace(string(content))
		}
	}
	return k
}

// loaded learns that Redis was read: something may have changed.
func (k *auditKeeper) loaded() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends, and writes the head once more then.
func (k *auditKeeper) run(ctx context.Context) {
	if k.opts.Audit == nil {
		return
	}
	reader, errReader := k.opts.Redis.OpenReader()
	writer, errWriter := k.opts.Redis.Open()
	if err := errors.Join(errReader, errWriter); err != nil {
		k.opts.Log.Error("the audit log cannot use Redis", "err", err, "hint", refusal.HintRedis)
		return
	}
	defer reader.Close()
	defer writer.Close()
	k.opts.Audit.Write(audit.Event{What: "start", Who: "rclone-gateway", Result: "ok"})
	ticker := time.NewTicker(auditInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-k.wake:
			k.writeChanges(ctx, reader)
		case <-ticker.C:
			k.writeChanges(ctx, reader)
			k.publish(ctx, writer)
		case <-ctx.Done():
		}
	}
	k.opts.Audit.Write(audit.Event{What: "stop", Who: "rclone-gateway", Result: "ok"})
	k.publish(context.WithoutCancel(ctx), writer)
}

// writeChanges writes down what administrators' commands have changed since.
func (k *auditKeeper) writeChanges(ctx context.Context, rdb redis.UniversalClient) {
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	changes, err := catalog.ChangesAfter(ctx, rdb, k.last)
	if err != nil {
		if ctx.Err() == nil {
			k.opts.Log.Warn("the audit log misses changes until Redis can be read", "err", err, "hint", refusal.HintRedis)
		}
		return
	}
	for _, c := range changes {
		k.opts.Audit.Write(audit.Event{What: "change", Who: c.Who, From: c.From, Object: c.What, Request: c.ID, Result: "ok", Detail: "done " + c.Time.UTC().Format(time.RFC3339)})
		k.last = c.ID
	}
	if len(changes) == 0 || k.opts.AuditState == "" {
		return
	}
	if err := atomicfile.Write(k.opts.AuditState, []byte(k.last+"\n"), 0o600); err != nil {
		k.opts.Log.Warn("changes may be written into the audit log twice", "err", err, "hint", "check the disk of --audit-log")
	}
}

// publish writes the head into Redis, where it has changed.
func (k *auditKeeper) publish(ctx context.Context, rdb redis.UniversalClient) {
	head, err := k.opts.Audit.Head()
	if err != nil {
		k.opts.Log.Error("the audit log cannot be synced", "err", err, "hint", "check the disk of --audit-log")
		return
	}
	if head == k.head || k.opts.Load.NodeID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	err = rdb.HSet(ctx, catalog.AuditHeadKey(k.opts.Load.NodeID), "head", head.String(), "time", time.Now().UTC().Format(time.RFC3339)).Err()
	if err != nil {
		k.opts.Log.Warn("the head of the audit log is not in Redis", "err", err, "hint", "the node's user must be able to write node/"+k.opts.Load.NodeID+"/*, on the main server")
		return
	}
	k.head = head
}
