package examine

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// denials maps the named errors of steps that a storage refused to the missing permission.
var denials = map[string]struct {
	name    string
	missing permission
}{
	stepOpen:   {adminapi.NoReadPermission, toList},
	stepList:   {adminapi.NoReadPermission, toList},
	stepWrite:  {adminapi.NoWritePermission, toWrite},
	stepRead:   {adminapi.NoReadPermission, toRead},
	stepDelete: {adminapi.NoDeletePermission, toDelete},
	stepPack:   {adminapi.NoWritePermission, toWrite},
}

// diagnose returns the named error for a failed step on a storage of that type, and a
// sentence with advice. The sentence does not name the destination.
func diagnose(typ, step string, err error) (name, reason string) {
	cure := refusal.Advise(err)
	denial := denials[step]
	reached := step != stepOpen && step != stepList // the step before reached it
	switch {
	case cure.Known && !cure.Reached, !cure.Known && !reached:
		return adminapi.NotAccessible, cure.Text
	case cure.Permission && typ == live.TypeLocal:
		return denial.name, deniedBySystem("the gateway's user", "", denial.missing)
	case cure.Permission:
		return denial.name, storage.ErrDenied.Error() + ": " + denial.missing.advice(typ)
	}
	return denial.name, cure.Text
}

// diagnoseNamed is diagnose for an administrator, who may see the details of a directory
// and of the gateway's system user.
func diagnoseNamed(d *catalog.Destination, step string, err error) (name, reason string) {
	name, reason = diagnose(d.Type, step, err)
	if d.Type == live.TypeLocal && refusal.Advise(err).Permission {
		reason = deniedBySystem("the gateway's user "+ownUser(), " "+d.Base, denials[step].missing)
	}
	return name, reason
}

// deniedBySystem returns the sentence for a directory, which has neither keys nor a
// vendor's permissions.
func deniedBySystem(who, where string, missing permission) string {
	return fmt.Sprintf("the operating system does not let %s %s the directory%s: check owner and mode of it, and of those above", who, missing.inDirectory(), where)
}

// ownUser returns the name of this process's user.
func ownUser() string {
	uid := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(uid); err == nil {
		return u.Username + " (UID " + uid + ")"
	}
	return "with UID " + uid
}
