package gatewayadmin

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// Rollback has a repository made what it was at a time, or asks how that would go.
func Rollback(ctx context.Context, s *host.System, req adminapi.RollbackRequest) (reply adminapi.RollbackReply, err error) {
	err = ask(ctx, s, adminapi.RollbackPath, req, &reply)
	return reply, err
}
