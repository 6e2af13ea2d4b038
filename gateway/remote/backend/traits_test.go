package backend

import (
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"
)

func TestPublishes(t *testing.T) {
	SetSections(map[string]map[string]string{
		"bucket": {"type": "memory"},
		"disk":   {"type": "local"},
	}, nil)
	t.Cleanup(func() { SetSections(nil, nil) })
	for _, tt := range []struct {
		name    string
		section map[string]string
		want    bool
	}{
		{"memory", map[string]string{"type": "memory"}, true},
		{"local", map[string]string{"type": "local"}, false},
		{"alias of memory", map[string]string{"type": "alias", "remote": "bucket:b"}, true},
		{"alias of local", map[string]string{"type": "alias", "remote": "disk:" + t.TempDir()}, false},
		{"crypt over memory", map[string]string{"type": "crypt", "remote": "bucket:b", "password": obscure.MustObscure("password")}, true},
		{"crypt over local", map[string]string{"type": "crypt", "remote": "disk:" + t.TempDir(), "password": obscure.MustObscure("password")}, false},
		{"S3", map[string]string{"type": "s3", "provider": "Rclone", "endpoint": "http://127.0.0.1:1"}, true},
		{"chunks in memory", map[string]string{"type": "chunker", "remote": "bucket:b"}, false},
		{"a union of memories", map[string]string{"type": "union", "upstreams": "bucket:a bucket:b"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Open(t.Context(), "test", tt.section, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if got := b.Has(PublishesPut); got != tt.want {
				t.Errorf("publishes = %t; want %t", got, tt.want)
			}
		})
	}
}
