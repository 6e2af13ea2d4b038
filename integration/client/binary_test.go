package client

import (
	"debug/buildinfo"
	"debug/elf"
	"testing"
)

// TestWhatIsLinked has none of rclone in the client.
func TestWhatIsLinked(t *testing.T) {
	t.Parallel()
	info, err := buildinfo.ReadFile(program(t, "GATEWAYCTL", "bin/gatewayctl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) == 0 {
		t.Error("the binary does not say what is linked")
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/rclone/rclone" {
			t.Errorf("%s %s is linked", module.Path, module.Version)
		}
	}
}

// TestSize has the client light: every node and every module's image carries it.
func TestSize(t *testing.T) {
	t.Parallel()
	file, err := elf.Open(program(t, "GATEWAYCTL", "bin/gatewayctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	size := uint64(0)
	for _, section := range file.Sections {
		// The others are for debuggers, and are not in what make builds.
		if section.Flags&elf.SHF_ALLOC != 0 && section.Type != elf.SHT_NOBITS {
			size += section.FileSize
		}
	}
	if size == 0 || size > 33<<19 {
		t.Errorf("gatewayctl has %d bytes, want at most 16.5 MiB", size)
	}
}
