package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// FileMemory keeps the state of a node in a file. It holds no secret.
type FileMemory string

// remembered is the content of the file.
type remembered struct {
	Schedules []rememberedSchedule `json:"schedules"`
	States    map[string]State     `json:"states"`
}

type rememberedSchedule struct {
	ID     string            `json:"id"`
	Fields map[string]string `json:"fields"`
	Plan   map[string]string `json:"plan,omitempty"`
	Here   []string          `json:"here"`
}

// Recall implements [Memory].
func (f FileMemory) Recall() ([]Planned, map[string]State, error) {
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var known remembered
	if err := json.Unmarshal(data, &known); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", string(f), err)
	}
	var planned []Planned
	for _, r := range known.Schedules {
		planned = append(planned, Planned{Schedule: schedule.Parse(r.ID, r.Fields, r.Plan), Here: r.Here})
	}
	return planned, known.States, nil
}

// Keep implements [Memory].
func (f FileMemory) Keep(planned []Planned, states map[string]State) error {
	known := remembered{States: states}
	for i := range planned {
		p := &planned[i]
		known.Schedules = append(known.Schedules, rememberedSchedule{p.ID, p.BackupFields(), p.Fields(), p.Here})
	}
	data, err := json.Marshal(known)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(string(f), append(data, '\n'), 0o600)
}
