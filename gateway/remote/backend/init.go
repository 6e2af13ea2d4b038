package backend

import (
	"context"
	"log/slog"
	"sync"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/lib/atexit"

	_ "github.com/rclone-gateway/rclone-gateway/gateway/remote/internal/noconfig" // before rclone looks for its configuration
)

// noConfigFile can never exist; rclone wants a name anyway before it
// accepts another storage for its configuration.
const noConfigFile = "/dev/null/rclone.conf"

// Init sends rclone's own log to h. Call it once, before the first Open; without
// it rclone logs to standard error.
func Init(h slog.Handler) {
	setup()
	fs.SetLogger(plainLevels{h})
}

// setup makes rclone fit to live inside another program: no configuration file,
// no handler of signals that ends the process.
var setup = sync.OnceFunc(func() {
	atexit.IgnoreSignals()
	// The path is absolute and not reserved, which are the only errors.
	_ = config.SetConfigPath(noConfigFile)
	config.SetData(&sections)
	// The storage must be loaded before there is concurrency: rclone notes
	// without a lock that it is.
	config.LoadedData()
	// So must the cipher that passwords are obscured with.
	_ = obscure.MustObscure("")
})

// plainLevels turns rclone's levels, some of which slog has no names for, into
// slog's four.
type plainLevels struct{ slog.Handler }

func (h plainLevels) Handle(ctx context.Context, r slog.Record) error {
	switch {
	case r.Level > slog.LevelWarn:
		r.Level = slog.LevelError
	case r.Level > slog.LevelInfo:
		r.Level = slog.LevelWarn // rclone's NOTICE
	}
	return h.Handler.Handle(ctx, r)
}

func (h plainLevels) WithAttrs(attrs []slog.Attr) slog.Handler {
	return plainLevels{h.Handler.WithAttrs(attrs)}
}

func (h plainLevels) WithGroup(name string) slog.Handler {
	return plainLevels{h.Handler.WithGroup(name)}
}
