package redisconn

import (
	"errors"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/internal/flagenv"
	"github.com/rclone-gateway/rclone-gateway/internal/secretfile"
)

// Settings are the options and variables of a connection. Call Register, parse the flags,
// fill in the rest from the environment, then call Complete.
type Settings struct {
	Config
	PasswordFile, SentinelPasswordFile string
}

// Variables for passwords, which have no option.
const (
	PasswordVariable         = "REDIS_PASSWORD"
	SentinelPasswordVariable = "REDIS_SENTINEL_PASSWORD"
)

// Register defines the options, the same for every program.
func (s *Settings) Register(flags *pflag.FlagSet) {
	b := flagenv.Binder{Flags: flags}
	b.String(&s.Address, "redis-address", "REDIS_ADDRESS", "", "`host:port` or socket path of Redis (default 127.0.0.1:6379)")
	b.String(&s.ReplicaAddress, "redis-replica-address", "REDIS_REPLICA_ADDRESS", "", "`host:port` of a replica to read from while it answers")
	b.String(&s.URL, "redis-url", "REDIS_URL", "", "redis://, rediss:// (TLS) or unix:// `URL` instead of an address")
	b.String(&s.Username, "redis-user", "REDIS_USER", "", "Redis ACL `user`; the password is in $REDIS_PASSWORD or a file")
	b.String(&s.PasswordFile, "redis-password-file", "REDIS_PASSWORD_FILE", "", "`file` that holds the password of the Redis user")
	registerTLS(b, &s.TLS, "redis", "Redis")
	b.List(&s.SentinelAddrs, "redis-sentinel", "REDIS_SENTINEL", nil, "`host:port` of each Sentinel, separated by commas")
	b.String(&s.SentinelMaster, "redis-sentinel-master", "REDIS_SENTINEL_MASTER", "", "`name` of the master that the Sentinels watch")
	b.String(&s.SentinelUsername, "redis-sentinel-user", "REDIS_SENTINEL_USER", "", "ACL `user` of the Sentinels; the password is in $REDIS_SENTINEL_PASSWORD or a file")
	b.String(&s.SentinelPasswordFile, "redis-sentinel-password-file", "REDIS_SENTINEL_PASSWORD_FILE", "", "`file` that holds the password of the Sentinels")
	registerTLS(b, &s.SentinelTLS, "redis-sentinel", "Sentinel")
}

// registerTLS defines the options of one TLS, "--redis-ca" with $REDIS_CA and so on.
func registerTLS(b flagenv.Binder, t *TLS, prefix, server string) {
	variable := strings.ToUpper(strings.ReplaceAll(prefix, "-", "_"))
	same := ""
	if server == "Sentinel" {
		same = " (default: as for Redis)"
	}
	b.Bool(&t.Enabled, prefix+"-tls", variable+"_TLS", "speak TLS with "+server+"; the other options of its certificates turn that on too")
	b.String(&t.CA, prefix+"-ca", variable+"_CA", "", "`file` of the CA certificates that "+server+"'s must be signed by"+same)
	b.String(&t.Cert, prefix+"-cert", variable+"_CERT", "", "`file` of the client certificate for "+server+same)
	b.String(&t.Key, prefix+"-key", variable+"_KEY", "", "`file` of the client certificate's private key"+same)
	b.String(&t.ServerName, prefix+"-server-name", variable+"_SERVER_NAME", "", "`name` that "+server+"'s certificate is for, where it is not that of its address")
}

// Complete reads each password from its only source, and takes the login out of the URL.
// Errors name the sources, and quote no secret.
func (s *Settings) Complete(lookup func(string) (string, bool)) error {
	login, errURL := s.takeLogin()
	password, _ := lookup(PasswordVariable)
	sentinelPassword, _ := lookup(SentinelPasswordVariable)
	fromURL, _ := login.Password()
	var errs [3]error
	s.Password, errs[0] = secretfile.One("the Redis password",
		secretfile.Value("$"+PasswordVariable, password),
		secretfile.File("--redis-password-file ($REDIS_PASSWORD_FILE)", s.PasswordFile),
		secretfile.Value("--redis-url ($REDIS_URL)", fromURL))
	s.SentinelPassword, errs[1] = secretfile.One("Sentinel's password",
		secretfile.Value("$"+SentinelPasswordVariable, sentinelPassword),
		secretfile.File("--redis-sentinel-password-file ($REDIS_SENTINEL_PASSWORD_FILE)", s.SentinelPasswordFile))
	if name := login.Username(); name != "" && s.Username != "" && name != s.Username {
		errs[2] = errors.New("the Redis user is given twice, by --redis-user ($REDIS_USER) and by --redis-url ($REDIS_URL): give one of them")
	} else if s.Username == "" {
		s.Username = name
	}
	return errors.Join(errURL, errs[0], errs[1], errs[2])
}

// takeLogin removes user and password from the URL, so that another user can be set.
func (s *Settings) takeLogin() (*url.Userinfo, error) {
	if s.URL == "" {
		return nil, nil
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, errBadURL
	}
	login := u.User
	u.User = nil
	s.URL = u.String()
	return login, nil
}

// Variable is a setting in the form of an environment variable.
type Variable struct{ Name, Value string }

// Variables returns the connection's settings for other programs, without the user and the
// user's password. Only Sentinel's password is secret.
func (s *Settings) Variables() []Variable {
	vars := []Variable{
		{"REDIS_URL", s.URL}, {"REDIS_ADDRESS", s.Address}, {"REDIS_REPLICA_ADDRESS", s.ReplicaAddress},
		{"REDIS_SENTINEL", strings.Join(s.SentinelAddrs, ",")}, {"REDIS_SENTINEL_MASTER", s.SentinelMaster},
		{"REDIS_SENTINEL_USER", s.SentinelUsername}, {"REDIS_SENTINEL_PASSWORD_FILE", s.SentinelPasswordFile},
	}
	if s.SentinelPasswordFile == "" {
		vars = append(vars, Variable{SentinelPasswordVariable, s.SentinelPassword})
	}
	for _, t := range []struct {
		prefix string
		tls    TLS
	}{{"REDIS", s.TLS}, {"REDIS_SENTINEL", s.SentinelTLS}} {
		enabled := ""
		if t.tls.Enabled {
			enabled = "true"
		}
		vars = append(vars, Variable{t.prefix + "_TLS", enabled}, Variable{t.prefix + "_CA", t.tls.CA},
			Variable{t.prefix + "_CERT", t.tls.Cert}, Variable{t.prefix + "_KEY", t.tls.Key},
			Variable{t.prefix + "_SERVER_NAME", t.tls.ServerName})
	}
	given := vars[:0]
	for _, v := range vars {
		if v.Value != "" {
			given = append(given, v)
		}
	}
	return given
}
