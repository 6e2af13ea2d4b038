package backend

import (
	"fmt"
	"maps"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Obscure returns a copy of the values of a section of that type with the
// passwords among them obscured, as a section must hold them. Which ones are
// passwords is the backend's to say; an access key, say, is none.
func Obscure(backend string, values map[string]string) (map[string]string, error) {
	setup()
	info, err := fs.Find(backend)
	if err != nil {
		return nil, fmt.Errorf("%w %q", storage.ErrUnknownType, backend)
	}
	out := maps.Clone(values)
	for key, value := range values {
		if option := info.Options.Get(key); option == nil || !option.IsPassword || value == "" {
			continue
		}
		if out[key], err = obscure.Obscure(value); err != nil {
			return nil, fmt.Errorf("obscure %q: %w", key, err)
		}
	}
	return out, nil
}
