package channel

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/internal/secretfile"
)

// mailer sends mail through an SMTP server or the program sendmail.
type mailer struct{ *notifyfile.Channel }

func (m mailer) Send(ctx context.Context, msg *message.Message) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	letter, err := m.letter(msg)
	if err != nil {
		return err
	}
	if m.Server == "" {
		return m.bySendmail(ctx, letter)
	}
	return m.byServer(ctx, letter)
}

// letter renders the message as mail, with a plain text and an HTML part.
func (m mailer) letter(msg *message.Message) (*mail.Msg, error) {
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(letter.From(m.From), letter.To(m.To...)); err != nil {
		return nil, err
	}
	letter.Subject(msg.Subject)
	letter.SetDateWithValue(msg.At)
	letter.SetMessageIDWithValue(msg.ID + "@" + domainOf(m.From))
	// Vacation replies to it are unwanted.
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	if msg.Level == message.Bad {
		letter.SetImportance(mail.ImportanceHigh)
	}
	letter.SetBodyString(mail.TypeTextPlain, msg.Text)
	if msg.HTML != "" {
		letter.AddAlternativeString(mail.TypeTextHTML, msg.HTML)
	}
	return letter, nil
}

func domainOf(from string) string {
	if a, err := netmail.ParseAddress(from); err == nil {
		from = a.Address
	}
	return from[strings.LastIndex(from, "@")+1:]
}

func (m mailer) byServer(ctx context.Context, letter *mail.Msg) error {
	client, err := m.client(ctx)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, letter)
	if err == nil || letter.IsDelivered() { // a missing goodbye from the server does not matter
		return nil
	}
	if tooLong(err) {
		return fmt.Errorf("the mail server %s did not answer within %v", m.Server, tryFor)
	}
	return fmt.Errorf("the mail server %s: %s", m.Server, host.Printable(err.Error()))
}

func (m mailer) client(ctx context.Context) (*mail.Client, error) {
	name, text, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("server: port %q is not a number", text)
	}
	config, err := m.tls(name)
	if err != nil {
		return nil, err
	}
	options := []mail.Option{mail.WithPort(port), mail.WithTimeout(left(ctx)), mail.WithTLSConfig(config)}
	switch m.Security {
	case notifyfile.TLS:
		options = append(options, mail.WithSSL())
	case notifyfile.NoTLS:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.User != "" {
		password, err := secretfile.Read(m.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		how := mail.SMTPAuthAutoDiscover
		if m.Security == notifyfile.NoTLS { // only allowed for this host
			how = mail.SMTPAuthPlainNoEnc
		}
		options = append(options, mail.WithSMTPAuth(how), mail.WithUsername(m.User), mail.WithPassword(password))
	}
	return mail.NewClient(name, options...)
}

func (m mailer) tls(name string) (*tls.Config, error) {
	config := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if m.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(m.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: no PEM certificate in %s", m.CAFile)
	}
	return config, nil
}

// bySendmail hands the mail to the program, without this process's environment, which holds
// a password.
func (m mailer) bySendmail(ctx context.Context, letter *mail.Msg) error {
	var text, said bytes.Buffer
	if _, err := letter.WriteTo(&text); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, m.Sendmail, "-i", "-t")
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &text, &said, &said
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it succeeded and left a child process behind
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end within %v", m.Sendmail, tryFor)
	}
	const most = 200
	words := strings.TrimSpace(said.String())
	return fmt.Errorf("%s: %w: %s", m.Sendmail, err, host.Printable(words[:min(len(words), most)]))
}

// left returns how long the server may take for its next answer.
func left(ctx context.Context) time.Duration {
	until, ok := ctx.Deadline()
	if !ok {
		return tryFor
	}
	return max(time.Millisecond, time.Until(until))
}
