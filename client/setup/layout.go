package setup

import (
	"net"
	"os"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

const (
	defaultAddress = "127.0.0.1:4694"
	// gatewayUser and redisUser are the system users of the services.
	gatewayUser = "rclone-gateway"
	redisUser   = "redis"
	// redisUnit is the unit of the gateway's own Redis, part of the package.
	redisUnit = "rclone-gateway-redis.service"
	// maxSocketPath is the maximum length of a unix socket's path.
	maxSocketPath = 100
)

// layout says where everything is.
type layout struct {
	// services is true if systemd runs everything.
	services bool
	// config holds files for administrators, modules the files of each module, redis the
	// data of Redis, and state the state of the gateway.
	config, modules, redis, state string
	socket                        string // of Redis
	address                       string // of the gateway
}

// newLayout selects the system's directories, or a single directory.
func newLayout(o *options) (layout, error) {
	if o.dir == "" {
		return systemLayout(o)
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return layout{}, err
	}
	if _, _, err := net.SplitHostPort(o.addr); err != nil {
		return layout{}, exit.Failf(exit.Usage, "--addr: %w", err)
	}
	l := layout{
		config: dir, modules: filepath.Join(dir, "modules"), redis: filepath.Join(dir, "redis"), state: filepath.Join(dir, "state"),
		socket: filepath.Join(dir, "redis.sock"), address: o.addr,
	}
	if len(l.socket) > maxSocketPath {
		return l, exit.Failf(exit.Usage, "--dir %s is too long for the socket of Redis in it, whose path may have %d bytes", dir, maxSocketPath)
	}
	return l, nil
}

func systemLayout(o *options) (layout, error) {
	l := layout{
		services: true, config: "/etc/rclone-gateway", modules: "/var/lib/rclone-gateway-modules", redis: "/var/lib/rclone-gateway-redis",
		state: "/var/lib/rclone-gateway", socket: "/run/rclone-gateway-redis/redis.sock", address: defaultAddress,
	}
	_, err := os.Stat("/run/systemd/system")
	switch {
	case o.dryRun: // the printed paths may not exist here
		return l, nil
	case err != nil:
		return l, exit.Failf(exit.Usage, "this host has no systemd that runs services: say with --dir DIR where everything is to be; a script there starts it")
	case os.Geteuid() != 0:
		return l, exit.Failf(exit.Usage, "run this as root, for services of the system, or say with --dir DIR where everything of your own is to be")
	case o.addr != defaultAddress:
		return l, exit.Failf(exit.Usage, "--addr is for --dir: with systemd the address is that of rclone-gateway.socket")
	}
	return l, nil
}

// adminEnv is the environment of administrators' commands, nodeEnv that of the gateway and
// the node's commands.
func (l *layout) adminEnv() string     { return filepath.Join(l.config, "admin.env") }
func (l *layout) nodeEnv() string      { return filepath.Join(l.config, "node.env") }
func (l *layout) nodePassword() string { return filepath.Join(l.config, "redis-password") }
func (l *layout) redisConf() string    { return filepath.Join(l.config, "redis.conf") }
func (l *layout) users() string        { return filepath.Join(l.redis, "users.acl") }

// moduleEnv is the environment of a module's commands, moduleDir its directory.
func (l *layout) moduleEnv(name string) string { return filepath.Join(l.modules, name+".env") }
func (l *layout) moduleDir(name string) string { return filepath.Join(l.modules, name) }

// script returns a script of a layout without systemd: "start" or "stop".
func (l *layout) script(name string) string { return filepath.Join(l.config, name) }
