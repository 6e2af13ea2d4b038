package examine

import (
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// denials are the named errors of steps that a storage refused.
var denials = map[string]struct{ name, permission string }{
	stepOpen:   {adminapi.NoReadPermission, "give it permission to list and to read (s3:ListBucket and s3:GetObject, listFiles and readFiles on B2)"},
	stepList:   {adminapi.NoReadPermission, "give it permission to list and to read (s3:ListBucket and s3:GetObject, listFiles and readFiles on B2)"},
	stepWrite:  {adminapi.NoWritePermission, "give it permission to write (s3:PutObject, writeFiles on B2)"},
	stepRead:   {adminapi.NoReadPermission, "give it permission to read (s3:GetObject, readFiles on B2)"},
	stepDelete: {adminapi.NoDeletePermission, "give it permission to delete (s3:DeleteObject, deleteFiles on B2); where a retention or an immutability policy keeps all files, leave locks/ out of it"},
	stepPack:   {adminapi.NoWritePermission, "give it permission to write (s3:PutObject, writeFiles on B2)"},
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
