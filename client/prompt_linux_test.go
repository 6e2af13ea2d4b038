package client

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// patience is for what takes a moment where nothing else is going on.
const patience = 2 * time.Minute

// screen is a terminal with somebody before it.
type screen struct {
	t    *testing.T
	keys *os.File // what is typed, and shown
	tty  *os.File // what the program has

	mu    sync.Mutex
	shown bytes.Buffer
	grown chan struct{}
	seen  int // what was waited for already
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	keys, tty := testenv.Terminal(t)
	s := &screen{t: t, keys: keys, tty: tty, grown: make(chan struct{})}
	go s.watch()
	return s
}

// watch collects what is shown, until the terminal is closed.
func (s *screen) watch() {
	var buf [4096]byte
	for {
		n, err := s.keys.Read(buf[:])
		s.mu.Lock()
		s.shown.Write(buf[:n])
		close(s.grown)
		s.grown = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// answer waits for a question and types.
func (s *screen) answer(question, keys string) {
	s.t.Helper()
	s.await(question)
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// await waits for a text that is shown behind what was waited for before.
func (s *screen) await(text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		at := strings.Index(s.shown.String()[s.seen:], text)
		if at >= 0 {
			s.seen += at + len(text)
			s.mu.Unlock()
			return
		}
		grown := s.grown
		s.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			s.t.Fatalf("%q was not shown:\n%s", text, s.text())
		}
	}
}

// start runs a command of destination at the terminal; done returns how it ended.
func (s *screen) start(ctx context.Context, vars map[string]string, args ...string) (done func() outcome) {
	s.t.Helper()
	var stdout bytes.Buffer
	sys := host.NewSystem(s.tty, &stdout, s.tty)
	sys.Env = host.NewEnvironment(func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	})
	code := make(chan int, 1)
	go func() { code <- execute(ctx, sys, append([]string{program, "destination"}, args...)) }()
	return func() outcome {
		s.t.Helper()
		select {
		case code := <-code:
			return outcome{code, stdout.String(), s.text()}
		case <-time.After(patience):
			s.t.Fatalf("it has not ended:\n%s", s.text())
			return outcome{}
		}
	}
}

// shows reports whether what is typed now would be shown.
func (s *screen) shows() bool {
	s.t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return mode.Lflag&unix.ECHO != 0 && mode.Lflag&unix.ICANON != 0
}

func TestPeopleAreGuidedAtATerminal(t *testing.T) {
	t.Parallel()
	a := administer(t)
	s := newScreen(t)
	// Longer than a line that a terminal collects.
	secret := strings.Repeat("Very-Secret-", 600) + awkward + "é"
	done := s.start(t.Context(), a.vars, "add")
	s.answer("provider: ", "floppy\n")
	s.answer("choose one of those above", "")
	s.answer("provider: ", "backblaze\n")
	s.answer("url, such as b2:BUCKET/FOLDER: ", "bucket\n")
	s.answer("it must have the form b2:BUCKET/FOLDER", "")
	s.answer("url, such as b2:BUCKET/FOLDER: ", "b2:bucket/folder\n")
	s.answer("key ID: ", "the-key-id\n")
	s.answer("application key (not shown): ", "typo\x15"+secret+"xé\x7f\x7f\r")
	s.answer("name", "My bucket\n")
	got := done()
	if got.code != 0 {
		t.Fatalf("exit status %d:\n%s", got.code, s.text())
	}
	id, password, _ := strings.Cut(strings.TrimSpace(got.stdout), "\n")
	conf, _ := a.Do("HGET", catalog.RcloneConf, id).(string)
	if _, section, err := rcloneconf.Parse(conf); err != nil || section["key"] != secret || section["account"] != "the-key-id" {
		t.Errorf("the section became %q, %v", section, err)
	}
	if name := a.Do("HGET", catalog.DestinationKey(id), "name"); name != "My bucket" || len(password) != 64 {
		t.Errorf("named %v, with the password %q", name, password)
	}
	if text := s.text(); strings.Contains(text, "Secret") || strings.Contains(text, "typo") || !strings.Contains(text, "the-key-id") {
		t.Errorf("shown was:\n%s", text)
	}
	if !s.shows() {
		t.Error("the terminal was left hiding what is typed")
	}
}

func TestPastedSectionIsNotShown(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"an empty line": "\r\r", "Ctrl-D": "\x04"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := administer(t)
			s := newScreen(t)
			done := s.start(t.Context(), a.vars, "add", "--provider", "rclone")
			s.answer("paste the section", "\r[nas]\r# mine\rtype = sftp\rhost = nas.example.org\rpass = Very-Secret-"+strings.Repeat("x", 5000)+end)
			s.answer("a section of type sftp with the keys host, pass, type", "")
			s.finishPasted(t, done)
			list := a.call(t, "", "list").succeed(t).stdout
			if !strings.Contains(list, "rclone:sftp:nas.example.org:backups") {
				t.Errorf("the list is\n%s", list)
			}
		})
	}
}

// TestPastedFileOfSeveralSections pastes a whole rclone.conf. What follows an empty
// line is no answer to the next question, where it would be shown.
func TestPastedFileOfSeveralSections(t *testing.T) {
	t.Parallel()
	a := administer(t)
	s := newScreen(t)
	done := s.start(t.Context(), a.vars, "add", "--provider", "rclone")
	s.answer("paste the section", "[nas]\r\ntype = sftp\r\npass = Very-Secret\r\n\r\n[cloud]\r\ntype = webdav\r\n\r\nurl = https://cloud.example.org\r\npass = Very-Secret\r\n\r\n")
	s.answer("which of its sections: nas, cloud: ", "cloudy\n")
	s.answer("choose one of those", "")
	s.answer("which of its sections: nas, cloud: ", "cloud\n")
	s.answer("a section of type webdav with the keys pass, type, url", "")
	s.finishPasted(t, done)
}

// finishPasted answers what is asked behind a pasted section, which is then added
// without its secret having been shown.
func (s *screen) finishPasted(t *testing.T, done func() outcome) {
	t.Helper()
	s.answer("path on the remote: ", "backups\n")
	s.answer("name", "\n")
	if got := done(); got.code != 0 {
		t.Fatalf("exit status %d:\n%s", got.code, s.text())
	}
	if strings.Contains(s.text(), "Very-Secret") {
		t.Errorf("shown was:\n%s", s.text())
	}
}

// TestSecretsThatCannotBe are asked for again.
func TestSecretsThatCannotBe(t *testing.T) {
	t.Parallel()
	a := administer(t)
	s := newScreen(t)
	done := s.start(t.Context(), a.vars, "add", "--provider", "azure", "--url", "azure:container", "--set", "azure_account_name=account", "--name", "x")
	s.answer("account key (not shown): ", "\r")
	s.answer("it is needed", "")
	s.answer("account key (not shown): ", "Very-\x1b[DSecret\r")
	s.answer("such as an arrow", "")
	s.answer("account key (not shown): ", "\x04")
	s.await("no answer to the question for the account key")
	if got := done(); got.code != int(exit.Usage) || !s.shows() {
		t.Errorf("exit status %d, shows %v:\n%s", got.code, s.shows(), s.text())
	}
}

// TestInterruptedQuestions ends the program at a question, by the key and by a
// signal. The terminal must be as it was.
func TestInterruptedQuestions(t *testing.T) {
	t.Parallel()
	a := administer(t)
	args := []string{"add", "--provider", "azure", "--url", "azure:container", "--set", "azure_account_name=account"}

	s := newScreen(t)
	done := s.start(t.Context(), a.vars, args...)
	s.answer("account key (not shown): ", "Very-Secr\x03")
	if got := done(); got.code != 128+int(syscall.SIGINT) || !s.shows() || strings.Contains(s.text(), "Very-Secr") {
		t.Errorf("after Ctrl-C: exit status %d, shows %v:\n%s", got.code, s.shows(), s.text())
	}

	for question, args := range map[string][]string{"account key": args, "provider": {"add"}} {
		s := newScreen(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		done := s.start(ctx, a.vars, args...)
		s.await(question)
		cancel(exit.SignalError{Signal: syscall.SIGTERM})
		if got := done(); got.code != 128+int(syscall.SIGTERM) || !s.shows() {
			t.Errorf("after a signal: exit status %d, shows %v:\n%s", got.code, s.shows(), s.text())
		}
	}
	if list := a.call(t, "", "list", "--json").succeed(t).stdout; list != "[]\n" {
		t.Errorf("saved was %s", list)
	}
}
