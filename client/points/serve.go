package points

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/snapshot"
	"github.com/rclone-gateway/rclone-gateway/internal/browseapi"
)

// server shows the modules' snapshots to clients of its socket.
type server struct {
	sys           *host.System
	socket, group string
}

func newServe(sys *host.System) *cobra.Command {
	s := server{sys: sys}
	cmd := &cobra.Command{
		Use:   "serve --socket PATH",
		Short: "Show the gateway's page what snapshots hold, on a unix socket",
		Long: `Show the gateway of this host what snapshots hold, on a unix socket: the page then lists
directories of a snapshot, and has files and directories downloaded ("rclone-gateway serve
--snapshots-socket"). The gateway itself has no password of a repository; this command has,
with the credentials of the node.

Whoever reaches the socket reads every backup: it is for its owner and for --group alone,
which is the gateway's.`,
		Example:     `  gatewayctl --env-file node.env snapshot serve --socket snapshots.sock`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.socket == "" {
				return exit.Failf(exit.Usage, "say with --socket where to listen")
			}
			return s.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&s.socket, "socket", "", "`PATH` of the unix socket")
	cmd.Flags().StringVar(&s.group, "group", "", "`GROUP` that may use the socket, beside its owner")
	return cmd
}

// run serves until ctx ends.
func (s *server) run(ctx context.Context) error {
	if _, err := s.sys.Env.NodeCredentials(); err != nil {
		return err
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(s.socket) }()
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 30 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.sys.Notef("showing snapshots on %s", s.socket)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(limited); err != nil {
		_ = server.Close() // cuts the remaining requests
	}
	return nil
}

// listen opens the socket under a temporary name, and renames it once its permissions are
// set, so that nobody else can connect before.
func (s *server) listen(ctx context.Context) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(s.socket), ".snapshots-")
	if err != nil {
		return nil, fmt.Errorf("--socket: %w", err)
	}
	defer func() { _ = os.Remove(dir) }()
	temporary := filepath.Join(dir, "s")
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", temporary)
	if err != nil {
		return nil, fmt.Errorf("--socket: %w", err)
	}
	if unix, ok := listener.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // it gets renamed
	}
	mode := fs.FileMode(0o600)
	if s.group != "" {
		mode = 0o660
		err = giveToGroup(temporary, s.group)
	}
	if err = errors.Join(err, os.Chmod(temporary, mode)); err == nil {
		err = os.Rename(temporary, s.socket)
	}
	if err != nil {
		_ = listener.Close()
		_ = os.Remove(temporary)
		return nil, fmt.Errorf("--socket: %w", err)
	}
	return listener, nil
}

func giveToGroup(name, group string) error {
	found, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil {
		return err
	}
	return os.Chown(name, -1, gid)
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+browseapi.ListPath, s.answering(s.list))
	mux.HandleFunc("GET "+browseapi.ContentPath, s.answering(s.content))
	return mux
}

// wanted is what a request asks for.
type wanted struct {
	repository *opened
	id, path   string
}

// answering opens the requested repository and calls the handler, and reports errors.
func (s *server) answering(answer func(ctx context.Context, w http.ResponseWriter, what wanted) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sent := &sentWriter{ResponseWriter: w}
		err := s.answer(r.Context(), sent, r.FormValue("repository"), r.FormValue("destination"), r.FormValue("snapshot"), r.FormValue("path"), answer)
		switch {
		case err == nil:
		case sent.begun:
			s.sys.Warnf("%s of %s: %v", r.FormValue("path"), r.FormValue("repository"), err)
			panic(http.ErrAbortHandler) // the answer is incomplete
		default:
			s.sys.Warnf("%s of %s: %v", r.FormValue("path"), r.FormValue("repository"), err)
			http.Error(w, http.StatusText(statusOf(err)), statusOf(err))
		}
	}
}

func (s *server) answer(ctx context.Context, w http.ResponseWriter, repository, destination, id, name string, answer func(context.Context, http.ResponseWriter, wanted) error) error {
	var p place
	p.choice.Destination = destination
	o, err := p.open(ctx, s.sys, repository)
	if err != nil {
		return err
	}
	if id, err = o.snapshotNamed(ctx, id); err != nil {
		return err
	}
	return answer(ctx, w, wanted{o, id, path.Clean("/" + name)})
}

// statusOf returns the HTTP status for an error.
func statusOf(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return http.StatusNotFound
	}
	coded, ok := errors.AsType[*exit.Error](err)
	switch {
	case !ok:
		return http.StatusBadGateway
	case coded.Code == exit.NotFound:
		return http.StatusNotFound
	case coded.Code == exit.Usage:
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

// sentWriter remembers whether anything was sent.
type sentWriter struct {
	http.ResponseWriter

	begun bool
}

func (w *sentWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// list answers with the entries of a directory.
func (*server) list(ctx context.Context, w http.ResponseWriter, what wanted) error {
	reply := browseapi.Listing{Path: what.path, Entries: []browseapi.Entry{}}
	err := what.repository.cache.WithTree(ctx, what.repository.source, what.id, func(t *snapshot.Tree) error {
		reply.Entries, reply.More = reply.Entries[:0], false
		if top, err := t.Stat(what.path); err != nil || !top.IsDir() {
			return errors.Join(err, fs.ErrNotExist)
		}
		nodes, err := t.ReadDir(what.path)
		if err != nil {
			return err
		}
		if reply.More = len(nodes) > browseapi.MaxEntries; reply.More {
			nodes = nodes[:browseapi.MaxEntries]
		}
		for _, n := range nodes {
			reply.Entries = append(reply.Entries, browseapi.Entry{Name: n.Name(), Type: n.Type, Size: n.Size, Modified: n.MTime})
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(reply)
}

// content answers with a file, or with a directory as a zip archive.
func (*server) content(ctx context.Context, w http.ResponseWriter, what wanted) error {
	var node snapshot.Node
	err := what.repository.cache.WithTree(ctx, what.repository.source, what.id, func(t *snapshot.Tree) (err error) {
		node, err = t.Stat(what.path)
		return err
	})
	if err != nil {
		return err
	}
	args := []string{"dump", "--no-lock", what.id, what.path}
	switch {
	case node.IsDir():
		w.Header().Set("Content-Type", "application/zip")
		args = []string{"dump", "--no-lock", "--archive=zip", what.id, what.path}
	case node.Type == "file":
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatUint(node.Size, 10))
	default:
		return exit.Failf(exit.Usage, "%s is neither a file nor a directory", what.path)
	}
	return what.repository.source.Run(ctx, w, args...)
}
