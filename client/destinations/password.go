package destinations

import (
	"context"
	"encoding/json"
	"path"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
	"github.com/rclone-gateway/rclone-gateway/client/resticpassword"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// passwordFor returns the password of a destination that is about to be added. Where
// its storage holds repositories already, it must open the one that was found: they
// were made by another installation, or before the destination was removed, and with
// another password nothing of them could be read, nor anything be added. Without one
// somebody at a terminal is asked for it; none is made up. Own is the password that the
// module of that repository is known to have.
func passwordFor(ctx context.Context, sys *host.System, given, own string, found *adminapi.Repository) (string, error) {
	if found == nil {
		return given, nil
	}
	name := host.Printable(found.Path)
	if prompt := sys.Prompter(); given == "" && prompt != nil {
		sys.Notef("there are repositories at this storage already, such as %s", name)
		var err error
		if given, err = prompt.AskSecret(ctx, "password that they were made with"); err != nil {
			return "", err
		}
	}
	if given == "" {
		return "", exit.Failf(exit.Password, "there are repositories at this storage already, such as %s: give the password that they were made with, by --password-file, since a new one would not open them; or choose another folder", name)
	}
	opens, understood := tryKeys(found.Keys, given)
	if opens {
		return given, nil
	}
	if !understood {
		sys.Warnf("the keys of repository %s are not understood: whether the password opens it is not known", name)
		return given, nil
	}
	if opens, _ = tryKeys(found.Keys, own); opens {
		sys.Warnf("repository %s opens with a password of its module's own: whether the destination's opens others is not known", name)
		return given, nil
	}
	return "", exit.Failf(exit.Password, "the password does not open repository %s, which is at this storage already: give the one that it was made with, or choose another folder; "+
		"if its module had a password of its own, bring that back first, with destination import or module add --repository-password-file, or save this one untested, with --no-test", name)
}

// tryKeys reports whether a password opens one of the keys, and whether one was understood
// at all.
func tryKeys(keys []json.RawMessage, password string) (opens, understood bool) {
	for _, key := range keys {
		opens, err := resticpassword.Opens(key, password)
		if opens {
			return true, true
		}
		understood = understood || err == nil
	}
	return false, understood
}

// ownPasswordOf is the password that the module of a repository has of its own, "" where
// it is known of none.
func (d *destinations) ownPasswordOf(ctx context.Context, found *adminapi.Repository) (string, error) {
	if found == nil {
		return "", nil
	}
	return ownpassword.Of(ctx, d.rdb, path.Base(found.Path))
}
