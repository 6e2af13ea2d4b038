package destinations

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/resticpassword"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// passwordFor returns the password of a destination that is about to be added. Where
// its storage holds repositories already, it must open the one that was found: they
// were made by another installation, or before the destination was removed, and with
// another password nothing of them could be read, nor anything be added. Without one
// somebody at a terminal is asked for it; none is made up.
func passwordFor(ctx context.Context, sys *host.System, given string, found *adminapi.Repository) (string, error) {
	if found == nil {
		return given, nil
	}
	path := host.Printable(found.Path)
	if prompt := sys.Prompter(); given == "" && prompt != nil {
		sys.Notef("there are repositories at this storage already, such as %s", path)
		var err error
		if given, err = prompt.AskSecret(ctx, "password that they were made with"); err != nil {
			return "", err
		}
	}
	if given == "" {
		return "", exit.Failf(exit.Password, "there are repositories at this storage already, such as %s: give the password that they were made with, by --password-file, since a new one would not open them; or choose another folder", path)
	}
	understood := 0
	for _, key := range found.Keys {
		opens, err := resticpassword.Opens(key, given)
		if opens {
			return given, nil
		}
		if err == nil {
			understood++
		}
	}
	if understood == 0 {
		sys.Warnf("the keys of repository %s are not understood: whether the password opens it is not known", path)
		return given, nil
	}
	return "", exit.Failf(exit.Password, "the password does not open repository %s, which is at this storage already: give the one that it was made with, or choose another folder", path)
}
