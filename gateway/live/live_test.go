package live

import (
	"log/slog"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

const (
	destID  = "76d73f29-7446-5baf-a700-3ad39be75475"
	ownUUID = "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"
)

var (
	aNode   = &catalog.Principal{Name: "node/1", Role: catalog.RoleNode, ID: "1"}
	discard = slog.New(slog.DiscardHandler)
)
