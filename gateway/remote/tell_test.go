package remote

import (
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"
)

func TestSpace(t *testing.T) {
	dir := t.TempDir()
	local := map[string]string{"type": "local"}
	setSections(t, map[string]map[string]string{"space": local})
	crypt := map[string]string{"type": "crypt", "remote": "space:" + dir, "password": obscure.MustObscure("password")}
	for name, s := range map[string]*Store{
		"a remote that tells":     open(t, local, dir),
		"one that is encrypted":   open(t, crypt, ""),
		"one that tells nothing":  open(t, map[string]string{"type": "s3", "provider": "AWS"}, "bucket/dir"),
		"memory, which tells nil": open(t, map[string]string{"type": "memory"}, bucketName()),
	} {
		free, used, total, err := s.Space(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tells := s.fs.Features().About != nil; tells != (total > 0) || tells != (free >= 0 && used > 0) {
			t.Errorf("%s: free %d, used %d of %d", name, free, used, total)
		}
	}
}
