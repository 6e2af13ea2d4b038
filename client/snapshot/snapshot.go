package snapshot

import (
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Snapshot is a snapshot as restic describes it.
type Snapshot struct {
	ID             string    `json:"id"`
	Time           time.Time `json:"time"`
	Parent         string    `json:"parent,omitempty"`
	Tree           string    `json:"tree"`
	Paths          []string  `json:"paths"`
	Hostname       string    `json:"hostname"`
	Username       string    `json:"username,omitempty"`
	Tags           []string  `json:"tags,omitempty"`
	Excludes       []string  `json:"excludes,omitempty"`
	ProgramVersion string    `json:"program_version,omitempty"`
	Summary        *Summary  `json:"summary,omitempty"`
}

// Summary is what restic 0.17 and newer stores about the run that made a snapshot.
type Summary struct {
	BackupStart     time.Time `json:"backup_start"`
	BackupEnd       time.Time `json:"backup_end"`
	FilesNew        uint64    `json:"files_new"`
	FilesChanged    uint64    `json:"files_changed"`
	FilesUnmodified uint64    `json:"files_unmodified"`
	DataAdded       uint64    `json:"data_added"`
	DataAddedPacked uint64    `json:"data_added_packed"`
	Files           uint64    `json:"total_files_processed"`
	Bytes           uint64    `json:"total_bytes_processed"`
}

// Short returns the short ID.
func (s Snapshot) Short() string { return restic.ShortID(s.ID) }
