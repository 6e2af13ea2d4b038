package gatewayadmin

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// TrashList lists deleted objects of a destination.
func TrashList(ctx context.Context, s *host.System, req adminapi.TrashRequest) ([]adminapi.Deleted, error) {
	var reply adminapi.TrashReply
	err := ask(ctx, s, adminapi.TrashListPath, req, &reply)
	return reply.Objects, err
}

// TrashRestore restores deleted objects.
func TrashRestore(ctx context.Context, s *host.System, req adminapi.TrashRequest) (done adminapi.TrashDone, err error) {
	err = ask(ctx, s, adminapi.TrashRestorePath, req, &done)
	return done, err
}
