package deps
import (
 _ "github.com/rclone/rclone/backend/all"
 _ "github.com/rclone/rclone/cmd/serve/s3"
 _ "github.com/redis/go-redis/v9"
 _ "github.com/go-chi/chi/v5"
 _ "github.com/spf13/cobra"
 _ "github.com/alicebob/miniredis/v2"
 _ "github.com/coreos/go-systemd/v22/daemon"
 _ "github.com/coreos/go-systemd/v22/activation"
 _ "github.com/rogpeppe/go-internal/testscript"
 _ "golang.org/x/sys/unix"
 _ "golang.org/x/term"
)
