package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// Identity identifies a module.
type Identity struct {
	ID, UUID, Image string
}

// Make creates the state directory below dir with the file that every backup needs, and
// records where placed volumes are. Existing files stay. The file holds no secret, since it
// is part of the backups.
func Make(ctx context.Context, dir string, volumes []PlacedVolume, m Identity) error {
	for i, v := range volumes {
		var err error
		if volumes[i], err = v.Settle(ctx); err != nil {
			return err
		}
	}
	if len(volumes) > 0 {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the module's directory: %w", err)
		}
	}
	if err := PlaceNew(dir, volumes); err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil {
		return exit.Failf(exit.Usage, "--dir: the module's files are not there: %w", err)
	}
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the state directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(state, "environment"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the module's environment: %w", err)
	}
	_, err = fmt.Fprintf(file, "MODULE_ID=%s\nMODULE_UUID=%s\nIMAGE_URL=%s\n", m.ID, m.UUID, m.Image)
	return errors.Join(err, file.Close())
}

// ParsePlacedVolumes parses the values of --volume.
func ParsePlacedVolumes(texts []string) ([]PlacedVolume, error) {
	var volumes []PlacedVolume
	for _, text := range texts {
		v, err := ParsePlacedVolume(text)
		if err != nil {
			return nil, exit.Failf(exit.Usage, "--volume: %w", err)
		}
		volumes = append(volumes, v)
	}
	return volumes, nil
}
