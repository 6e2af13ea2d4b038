package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// completeRequest adds the environment of the saved module to a request without one, and
// the snapshot that it came from, as NethServer 8's cluster action does before it calls the
// module's. The module's steps read their settings there.
func completeRequest(ctx context.Context, request restoreRequest, gather func() (restoreFacts, error)) (restoreRequest, error) {
	facts, err := gather()
	if err != nil {
		return request, err
	}
	vars, err := snapshotEnvironment(ctx, facts.base, facts.snapshot)
	if err != nil {
		return request, err
	}
	request.Environment = make(map[string]json.RawMessage, len(vars))
	for name, value := range vars {
		if request.Environment[name], err = json.Marshal(value); err != nil {
			return request, err
		}
	}
	// Pin the snapshot: "latest" may be another one when a step asks again.
	request.Snapshot = facts.snapshot.id
	return request, nil
}

// snapshotEnvironment reads the file state/environment of a snapshot. It takes no lock: the
// file is small, and restores must work from read-only storage.
func snapshotEnvironment(ctx context.Context, base restic.Invocation, source restoreSource) (map[string]string, error) {
	var file bytes.Buffer
	name := path.Join("/", source.folder, "state/environment")
	err := base.With("dump", "--no-lock", source.id, name).Run(ctx, restic.Streams{Stdout: &file})
	if failure, ok := errors.AsType[*restic.Failure](err); ok && strings.Contains(failure.Detail, "not found in snapshot") {
		return nil, exit.Failf(exit.NotFound, "snapshot %s does not hold state/environment, where the module's own restore steps find their settings: "+
			"restore the data alone with --step %s, or give the environment in a request on stdin", source.short(), restoreStep)
	}
	if err != nil {
		return nil, run.ResticError(base.Repository, err)
	}
	if !utf8.Valid(file.Bytes()) {
		return nil, exit.Failf(exit.Failed, "state/environment of snapshot %s is not UTF-8: restore it with --path state/environment --target DIR and give a request on stdin", source.short())
	}
	return parseSavedEnvironment(file.String()), nil
}

// parseSavedEnvironment parses KEY=VALUE lines like NethServer 8's cluster action: a value
// is everything after the first "=", including spaces and quotes. It skips comments and
// lines without "=".
func parseSavedEnvironment(text string) map[string]string {
	vars := map[string]string{}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			vars[name] = value
		}
	}
	return vars
}
