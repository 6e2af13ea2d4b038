package gatewayadmin

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// Rollback returns a repository to its state at a time, or does a dry run of that.
func Rollback(ctx context.Context, s *host.System, req adminapi.RollbackRequest) (reply adminapi.RollbackReply, err error) {
	err = ask(ctx, s, adminapi.RollbackPath, req, &reply)
	return reply, err
}

// Freeze keeps the module of a repository from writing.
func Freeze(ctx context.Context, s *host.System, req adminapi.RepositoryRequest) (reply adminapi.FreezeReply, err error) {
	err = ask(ctx, s, adminapi.FreezePath, req, &reply)
	return reply, err
}

// Thaw lets the module write again.
func Thaw(ctx context.Context, s *host.System, req adminapi.RepositoryRequest) (reply adminapi.FreezeReply, err error) {
	err = ask(ctx, s, adminapi.ThawPath, req, &reply)
	return reply, err
}

// History returns what was added to a repository and deleted from it.
func History(ctx context.Context, s *host.System, req adminapi.RepositoryRequest) (reply adminapi.HistoryReply, err error) {
	err = ask(ctx, s, adminapi.HistoryPath, req, &reply)
	return reply, err
}
