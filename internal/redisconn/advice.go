package redisconn

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Advice says what to do about a connection that failed with err: which setting is missing
// or wrong. It returns "" if err is about something else, such as permissions. It does not
// ask for a password that was given, and never quotes one.
func (c Config) Advice(err error) string {
	if err == nil {
		return ""
	}
	if sentinel, ok := errors.AsType[*sentinelError](err); ok {
		return c.sentinelAdvice(sentinel.err)
	}
	if text := c.TLS.advice("Redis", "--redis", err); text != "" {
		return text
	}
	switch {
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"):
		return c.loginAdvice(err)
	case NoUsers(err):
		return "this server knows no users, so it is older than Redis 6, which is needed"
	case redis.HasErrorPrefix(err, "LOADING"):
		return "it is loading its data: this passes by itself"
	case redis.HasErrorPrefix(err, "MASTERDOWN"):
		return "the replica lost its master and may not answer: check the leader"
	case Ended(err):
		return c.endedAdvice()
	case isNetwork(err) && c.speaksTLS():
		return "check that Redis runs, that its address is right, and that it speaks TLS there"
	case isNetwork(err):
		return "check that Redis runs and that its address is right"
	}
	return ""
}

// Refused reports whether Redis refused permission to the user.
func Refused(err error) bool {
	for _, prefix := range []string{"WRONGPASS", "NOAUTH", "NOPERM"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// UnknownCommand reports whether a server lacks a command, or has renamed it.
func UnknownCommand(err error) bool {
	return strings.Contains(err.Error(), "unknown command")
}

// NoUsers reports whether a server has no ACL users: it accepts AUTH only with a password.
func NoUsers(err error) bool {
	return strings.Contains(err.Error(), "wrong number of arguments for 'auth'")
}

func (c Config) loginAdvice(err error) string {
	user := cmp.Or(c.Username, "default")
	switch {
	case c.Password != "" && redis.HasErrorPrefix(err, "WRONGPASS"):
		return fmt.Sprintf("check the Redis user and password: %q has another password, or does not exist", user)
	case c.Password != "":
		return fmt.Sprintf("it does not take the login of user %q", user)
	case c.Username != "":
		return fmt.Sprintf("user %q was given without a password: give it by $REDIS_PASSWORD or by --redis-password-file ($REDIS_PASSWORD_FILE)", user)
	}
	return "give a Redis user and password, by --redis-user ($REDIS_USER) and $REDIS_PASSWORD or --redis-password-file ($REDIS_PASSWORD_FILE)"
}

func (c Config) endedAdvice() string {
	switch {
	case c.speaksTLS() && c.TLS.Cert == "":
		return WhyEnded + "; if it wants client certificates (tls-auth-clients), give --redis-cert ($REDIS_CERT) and --redis-key ($REDIS_KEY)"
	case c.speaksTLS():
		return WhyEnded
	}
	return WhyEnded + "; where it wants TLS, give --redis-tls ($REDIS_TLS) or a URL that begins with rediss://"
}

func (c Config) speaksTLS() bool { return c.TLS.On() || strings.HasPrefix(c.URL, "rediss://") }

// sentinelAdvice is about Sentinels that could not name the server.
func (c Config) sentinelAdvice(err error) string {
	t := c.sentinelTLS()
	if text := t.advice("Sentinel", "--redis-sentinel", err); text != "" {
		return text
	}
	switch {
	case redis.HasErrorPrefix(err, "NOAUTH") && c.SentinelPassword == "":
		return "Sentinel wants a password of its own: give it by $REDIS_SENTINEL_PASSWORD or --redis-sentinel-password-file ($REDIS_SENTINEL_PASSWORD_FILE), with --redis-sentinel-user ($REDIS_SENTINEL_USER) where it has users"
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"):
		return fmt.Sprintf("Sentinel refuses user %q: check --redis-sentinel-user ($REDIS_SENTINEL_USER) and Sentinel's password, which is not Redis's", cmp.Or(c.SentinelUsername, "default"))
	case redis.HasErrorPrefix(err, "NOPERM"):
		return fmt.Sprintf("Sentinel's user %q may not ask for the master: it needs +sentinel|get-master-addr-by-name, +sentinel|sentinels and +subscribe", cmp.Or(c.SentinelUsername, "default"))
	case errors.Is(err, redis.Nil):
		return fmt.Sprintf("Sentinel watches no master of the name %q: check --redis-sentinel-master ($REDIS_SENTINEL_MASTER)", c.SentinelMaster)
	case redis.HasErrorPrefix(err, "ERR unknown command"), redis.HasErrorPrefix(err, "unknown command"):
		return "what listens there is no Sentinel: check --redis-sentinel ($REDIS_SENTINEL), whose port is 26379 most times"
	case Ended(err) && t.On():
		return "Sentinel ended the connection: if it wants client certificates (tls-auth-clients), give --redis-sentinel-cert ($REDIS_SENTINEL_CERT) and --redis-sentinel-key ($REDIS_SENTINEL_KEY)"
	case Ended(err):
		return "Sentinel ended the connection: where it wants TLS, give --redis-sentinel-tls ($REDIS_SENTINEL_TLS)"
	}
	return "check that a Sentinel runs at one of these addresses: " + strings.Join(c.SentinelAddrs, ", ")
}

// advice is about TLS; "" if err is not. Options and variables are named by their common
// prefix, "--redis".
func (t TLS) advice(server, option string, err error) string {
	name := func(setting string) string {
		variable := strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(option, "--")+"-"+setting, "-", "_"))
		return option + "-" + setting + " ($" + variable + ")"
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "remote error" {
		return t.alertAdvice(server, name)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return server + " does not speak TLS on this port: name the port that does, or leave TLS out"
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("%s's certificate is not for %s: name what it is for by %s", server, host.Host, name("server-name"))
	}
	if isUntrusted(err) && t.CA == "" {
		return fmt.Sprintf("%s's certificate is signed by a CA that this system does not know: name the CA's file by %s", server, name("ca"))
	}
	if isUntrusted(err) {
		return fmt.Sprintf("%s's certificate is not signed by the CA in %s: check %s", server, t.CA, name("ca"))
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return server + "'s certificate has expired or is not valid yet: renew it, and check the clocks"
	}
	return ""
}

// alertAdvice is about a TLS alert from the server.
func (t TLS) alertAdvice(server string, name func(string) string) string {
	if t.Cert == "" {
		return fmt.Sprintf("%s wants a client certificate: give %s and %s", server, name("cert"), name("key"))
	}
	return fmt.Sprintf("%s does not accept the certificate of %s: its tls-ca-cert-file must name the CA that signed it, and it must be valid today", server, name("cert"))
}

// WhyEnded is the advice for a Redis for which Ended is true.
const WhyEnded = "ended the connection: check that it runs; in protected mode it takes nobody from other hosts, until its user default has a password (requirepass)"

// Ended reports whether Redis closed the connection, as opposed to a refused connection. In
// protected mode it does so after an error that comes too early to be a reply.
func Ended(err error) bool {
	return redis.HasErrorPrefix(err, "DENIED") || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}
