package restic

import (
	"bytes"
	"context"
	"fmt"
)

// Detect asks the restic that base would run for its version.
func Detect(ctx context.Context, base Invocation) (Version, error) {
	base.Repository = Repository{}
	base.Mounts, base.Dir = nil, ""
	var output bytes.Buffer
	if err := base.With("version").Run(ctx, Streams{Stdout: &output}); err != nil {
		return Version{}, fmt.Errorf("ask restic for its version: %w", err)
	}
	return ParseVersion(output.String())
}

// ParseVersion reads the output of restic version, "restic 0.18.0 compiled with
// go1.24.1 on linux/amd64".
func ParseVersion(output string) (Version, error) {
	var v Version
	if _, err := fmt.Sscanf(output, "restic %d.%d.%d", &v[0], &v[1], &v[2]); err != nil {
		line, _, _ := bytes.Cut([]byte(output), []byte("\n"))
		return Version{}, fmt.Errorf("restic's version is not in %q", line[:min(len(line), 200)])
	}
	return v, nil
}
