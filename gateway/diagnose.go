package gateway

import (
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// denials are the named errors of steps that a storage refused.
var denials = map[string]struct{ name, permission string }{
	stepOpen:   {adminapi.NoReadPermission, "give it permission to list and to read"},
	stepList:   {adminapi.NoReadPermission, "give it permission to list and to read"},
	stepWrite:  {adminapi.NoWritePermission, "give it permission to write"},
	stepRead:   {adminapi.NoReadPermission, "give it permission to read"},
	stepDelete: {adminapi.NoDeletePermission, "give it permission to delete"},
}

// diagnose returns the named error for a failed step, and a sentence that an
// administrator can act on.
func diagnose(step string, err error) (name, reason string) {
	cure := refusal.Advise(err)
	denial := denials[step]
	reached := step != stepOpen && step != stepList // by the step before
	switch {
	case cure.Known && !cure.Reached, !cure.Known && !reached:
		return adminapi.NotAccessible, cure.Text
	case cure.Permission:
		return denial.name, cure.Text + ": " + denial.permission
	}
	return denial.name, cure.Text
}
