// Package mailtest is a mail server for tests: a real one, which keeps what it takes.
package mailtest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Server is a mail server on the loopback, until the test ends.
type Server struct {
	Addr string

	// User and Password, where there are any, are wanted of whoever sends.
	User, Password string

	mu      sync.Mutex
	letters []Letter
	answers []error
}

// Letter is a mail that was taken.
type Letter struct {
	From string
	To   []string
	Raw  string
}

// Start starts a server. With a certificate it offers STARTTLS, or speaks TLS from the
// beginning.
func Start(tb testing.TB, config *tls.Config, implicit bool) *Server {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: listener.Addr().String()}
	server := s.server(config)
	if implicit {
		listener = tls.NewListener(listener, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	tb.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return s
}

// Serve is a server that takes mail of a user on a listener, for as long as the process
// lives.
func Serve(listener net.Listener, config *tls.Config, user, password string) error {
	s := &Server{User: user, Password: password}
	return s.server(config).Serve(listener)
}

func (s *Server) server(config *tls.Config) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	server.Domain, server.TLSConfig, server.AllowInsecureAuth = "mail.test", config, config == nil
	server.ErrorLog = discard{}
	return server
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

// Answer has the server refuse the next mails with these errors, one each, such as
// [Later] and [Never]; nil takes one.
func (s *Server) Answer(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, errs...)
}

// What a server answers that does not take a mail.
var (
	Later error = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted, try again later"}
	Never error = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Relaying denied"}
)

// Letters are the mails that were taken.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Letter(nil), s.letters...)
}

// Parse returns a mail as programs read it.
func (l *Letter) Parse() (*mail.Message, error) { return mail.ReadMessage(strings.NewReader(l.Raw)) }

type session struct {
	server *Server
	letter Letter
	known  bool
}

func (s *session) AuthMechanisms() []string {
	if s.server.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.server.User || password != s.server.Password {
			return errors.New("unknown user")
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.User != "" && !s.known {
		return smtp.ErrAuthRequired
	}
	s.letter.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if len(s.server.answers) > 0 {
		answer := s.server.answers[0]
		s.server.answers = s.server.answers[1:]
		if answer != nil {
			return answer
		}
	}
	s.letter.To = append(s.letter.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.letter.Raw = string(raw)
	s.server.letters = append(s.server.letters, s.letter)
	return nil
}

func (s *session) Reset()        { s.letter = Letter{} }
func (s *session) Logout() error { return nil }
