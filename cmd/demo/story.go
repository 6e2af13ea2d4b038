package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// story is one demo.
type story struct {
	tree, gateway, client string
	keep                  bool

	dir     string
	cluster *cluster
	url     string
	links   string
	began   time.Time
	quiet   bool // nothing was printed since the last headline
}

// tell runs the demo.
func (s *story) tell(ctx context.Context) (err error) {
	s.began = time.Now()
	if _, err := exec.LookPath("restic"); err != nil {
		return errors.New("restic is not installed: get it with your system's package manager (Debian, Ubuntu: apt-get install restic)")
	}
	if s.tree == "" {
		return errors.New("no directory to back up: name one with -dir, or run make demo")
	}
	if s.dir, err = os.MkdirTemp("", "rclone-gateway-demo-"); err != nil {
		return err
	}
	defer func() {
		if s.keep && err == nil {
			return
		}
		err = errors.Join(err, os.RemoveAll(s.dir))
	}()
	stop, err := s.setUp(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	for _, chapter := range []func(context.Context) error{
		s.firstBackup, s.secondBackup, s.theft, s.disaster, s.restore,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	s.headline("Done in %.1f s. What was lost is back, byte by byte.", time.Since(s.began).Seconds())
	if s.keep {
		return s.stay(ctx)
	}
	return nil
}

func (s *story) setUp(ctx context.Context) (stop func() error, err error) {
	s.headline("A node of a cluster")
	store := filepath.Join(s.dir, "destination")
	if err := os.Mkdir(store, 0o700); err != nil {
		return nil, err
	}
	if s.cluster, err = startCluster(store); err != nil {
		return nil, err
	}
	s.say("Redis runs at %s; it knows the module %s, and a backup destination: the directory %s.",
		s.cluster.redis.Addr(), original.id, store)

	s.links = filepath.Join(s.dir, "bin")
	if err := linkClient(ctx, s.client, s.links); err != nil {
		return nil, err
	}
	for _, m := range []*module{&original, &restored} {
		m.root = filepath.Join(s.dir, m.id)
		if err := m.install(); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(original.dataDir(), os.DirFS(s.tree)); err != nil {
		return nil, fmt.Errorf("copy %s: %w", s.tree, err)
	}
	held, err := measure(original.dataDir())
	if err != nil {
		return nil, err
	}
	s.say("The module's volume holds a copy of %s: %s.", s.tree, held)
	if err := s.cluster.redis.Set(original.key(), "a value that only Redis has"); err != nil {
		return nil, err
	}
	s.say("It keeps something in Redis, too, in the key %s.", original.key())

	url, stop, err := startGateway(ctx, s.gateway, s.cluster, filepath.Join(s.dir, "gateway.log"))
	if err != nil {
		return nil, err
	}
	s.url = url
	s.say("The gateway serves at %s. The module knows its own Redis password, and neither the\ndestination's settings nor its secrets.", url)
	return stop, nil
}

func (s *story) firstBackup(ctx context.Context) error {
	s.headline("The first backup")
	return s.run(ctx, original, nil, "module-backup", schedule)
}

func (s *story) secondBackup(ctx context.Context) error {
	s.headline("A day of work, and the second backup")
	edited, removed, err := change(original.dataDir())
	if err != nil {
		return err
	}
	s.say("%d files were edited, %d removed, 1 added.", edited, removed)
	return s.run(ctx, original, nil, "module-backup", schedule)
}

// theft tries what a thief of the module's password would try.
func (s *story) theft(ctx context.Context) error {
	s.headline("Somebody steals the module's password, and tries to destroy its backups")
	repository := s.url + "/" + destination + "/" + original.app + "/" + original.uuid + "/"
	someone := s.url + "/" + destination + "/otherapp/" + restored.uuid + "/"
	for _, attempt := range []struct{ what, method, url string }{
		{"delete the config", http.MethodDelete, repository + "config"},
		{"delete a snapshot", http.MethodDelete, repository + "snapshots/" + strings.Repeat("0", 64)},
		{"delete everything", http.MethodDelete, repository},
		{"read another module's backup", http.MethodGet, someone + "config"},
	} {
		code, err := ask(ctx, attempt.method, attempt.url, original.user(), s.cluster.passwords[original.user()])
		if err != nil {
			return err
		}
		if code != http.StatusForbidden {
			return fmt.Errorf("%s was answered %d, not 403", attempt.what, code)
		}
		s.say("  %-30s %d %s", attempt.what, code, http.StatusText(code))
	}
	return nil
}

func (s *story) disaster(context.Context) error {
	s.headline("The module is lost")
	if err := os.Rename(original.dataDir(), filepath.Join(s.dir, "expected")); err != nil {
		return err
	}
	s.cluster.redis.Del(original.key())
	s.say("Its volume and its key of Redis are gone (a copy is kept aside, to compare).")
	return os.RemoveAll(original.root)
}

func (s *story) restore(ctx context.Context) error {
	s.headline("A new module, %s, is restored from its backup", restored.id)
	s.say("It may read the lost one's backups, and nothing else of them.")
	request, err := json.Marshal(map[string]any{
		"repository": destination, "path": original.app + "/" + original.uuid, "snapshot": "",
		"environment": map[string]string{"IMAGE_URL": original.image(), "MODULE_UUID": original.uuid},
		"replace":     false,
	})
	if err != nil {
		return err
	}
	if err := s.run(ctx, restored, request, "restore-module"); err != nil {
		return err
	}
	differences, err := compare(filepath.Join(s.dir, "expected"), restored.dataDir())
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return fmt.Errorf("the restored volume differs:\n  %s", strings.Join(differences, "\n  "))
	}
	held, err := measure(restored.dataDir())
	if err != nil {
		return err
	}
	s.say("The volume is the same: %s, names, modes, times and every byte.", held)
	value, err := s.cluster.redis.Get(restored.key())
	if err != nil {
		return fmt.Errorf("the key %s did not come back: %w", restored.key(), err)
	}
	s.say("So is the key: %s = %q, loaded by the module's own step 20loadkey.", restored.key(), value)
	return nil
}

// stay keeps everything running until Ctrl-C.
func (s *story) stay(ctx context.Context) error {
	password, err := s.cluster.password()
	if err != nil {
		return err
	}
	fmt.Printf(`
Everything still runs. With your own restic:

  export RESTIC_REPOSITORY=rest:%s/%s/%s/%s/
  export RESTIC_REST_USERNAME=%s RESTIC_REST_PASSWORD=%s   # restic 0.16 and newer
  export RESTIC_PASSWORD=%s
  restic snapshots

Older ones want the user in the URL:

  restic -r rest:http://module%%2F%s:%s@%s/%s/%s/%s/ snapshots

Files and the gateway's log are in %s. Ctrl-C ends it.
`, s.url, destination, original.app, original.uuid, original.user(), s.cluster.passwords[original.user()], password,
		original.id, s.cluster.passwords[original.user()], strings.TrimPrefix(s.url, "http://"),
		destination, original.app, original.uuid, s.dir)
	<-ctx.Done()
	return os.RemoveAll(s.dir)
}

// run runs and shows a command of the client, as the module's agent would.
func (s *story) run(ctx context.Context, m module, input []byte, name string, args ...string) error {
	if !s.quiet {
		fmt.Println()
	}
	fmt.Printf("  $ %s\n", strings.Join(append([]string{name}, args...), " "))
	cmd := exec.CommandContext(ctx, filepath.Join(s.links, name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Dir, cmd.Env = m.stateDir(), m.environment(s.cluster, s.url, s.links)
	cmd.Stdin = bytes.NewReader(input)
	out := &indented{}
	cmd.Stdout, cmd.Stderr = out, out
	started := time.Now()
	err := cmd.Run()
	out.flush()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.say("\nIt took %.1f s.", time.Since(started).Seconds())
	return nil
}

func (s *story) headline(format string, args ...any) {
	fmt.Printf("\n== "+format+"\n\n", args...)
	s.quiet = true
}

func (s *story) say(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	s.quiet = false
}

// indented indents the output of commands.
type indented struct{ line []byte }

func (w *indented) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' || b == '\r' {
			w.flush()
			continue
		}
		w.line = append(w.line, b)
	}
	return len(p), nil
}

func (w *indented) flush() {
	if len(w.line) > 0 {
		fmt.Printf("  | %s\n", w.line)
		w.line = w.line[:0]
	}
}
