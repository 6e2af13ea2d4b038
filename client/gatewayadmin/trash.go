package gatewayadmin

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// TrashList asks for deleted objects of a destination.
func TrashList(ctx context.Context, s *host.System, req adminapi.TrashRequest) ([]adminapi.Deleted, error) {
	var reply adminapi.TrashReply
	err := ask(ctx, s, adminapi.TrashListPath, req, &reply)
	return reply.Objects, err
}

// TrashRestore has deleted objects brought back.
func TrashRestore(ctx context.Context, s *host.System, req adminapi.TrashRequest) (done adminapi.TrashDone, err error) {
	err = ask(ctx, s, adminapi.TrashRestorePath, req, &done)
	return done, err
}
