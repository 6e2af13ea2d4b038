package restic

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Version is restic's version: major, minor, patch. The zero Version is newer than all
// others.
type Version [3]int

// The first versions of restic with features that are used here.
var (
	// RetryLockVersion has --retry-lock.
	RetryLockVersion = Version{0, 16, 0}
	// NoScanVersion has backup --no-scan.
	NoScanVersion = Version{0, 15, 0}
	// ExcludeXattrVersion has restore --exclude-xattr.
	ExcludeXattrVersion = Version{0, 18, 0}
	// SparseVersion has restore --sparse.
	SparseVersion = Version{0, 15, 0}
	// SubfolderVersion has restore SNAPSHOT:FOLDER, and reports the progress of a restore.
	SubfolderVersion = Version{0, 16, 0}
	// OverwriteVersion replaces existing links, pipes and devices.
	OverwriteVersion = Version{0, 17, 0}
)

// Has reports whether v is at least first, the first version with some feature.
func (v Version) Has(first Version) bool {
	return v == Version{} || slices.Compare(v[:], first[:]) >= 0
}

// Detect returns the version of the restic that base would run.
func Detect(ctx context.Context, base Invocation) (Version, error) {
	base.Repository = Repository{}
	base.Mounts, base.Dir = nil, ""
	base.CACerts, base.ClientCert, base.Socket = nil, "", ""
	var output bytes.Buffer
	// Podman 4.3 sometimes loses the output of a container that exits at once.
	for range 3 {
		if err := base.With("version").Run(ctx, Streams{Stdout: &output}); err != nil {
			return Version{}, fmt.Errorf("ask restic for its version: %w", err)
		}
		if output.Len() > 0 {
			break
		}
	}
	return ParseVersion(output.String())
}

// ParseVersion parses the output of restic version, "restic 0.18.0 compiled with go1.24.1
// on linux/amd64".
func ParseVersion(output string) (Version, error) {
	var v Version
	if _, err := fmt.Sscanf(output, "restic %d.%d.%d", &v[0], &v[1], &v[2]); err != nil {
		line, _, _ := strings.Cut(output, "\n")
		return Version{}, fmt.Errorf("restic's version is not in %q", line[:min(len(line), 200)])
	}
	return v, nil
}
