package drill

import (
	"context"
	"errors"
	"syscall"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// judge separates errors of the backup from errors that only prevented the drill.
func judge(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	coded, ok := errors.AsType[*exit.Error](err)
	if ok && (coded.Code == exit.NotRestorable || coded.Code == exit.NotTried || coded.Code == exit.Usage) {
		return err
	}
	if speaksAgainst(err) {
		return exit.Failf(exit.NotRestorable, "not restorable: %w", err)
	}
	return exit.Failf(exit.NotTried, "the drill could not be tried: %w", err)
}

// speaksAgainst reports whether an error shows that the backup is bad: a real restore would
// fail too, no matter how often it is retried.
func speaksAgainst(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return false
	}
	if failure, ok := errors.AsType[*restic.Failure](err); ok {
		switch failure.Reason {
		case restic.NoRepository, restic.WrongKey, restic.Incomplete:
			return true
		case restic.Unknown:
			return !failure.Killed()
		}
		return false
	}
	coded, ok := errors.AsType[*exit.Error](err)
	return ok && (coded.Code == exit.NotFound || coded.Code == exit.Password)
}
