package docs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// completeLine asks bash, as its readline does, how to complete the last word of a
// command line.
const completeLine = `
complete_line() {
  local spec
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()
  COMP_POINT=${#COMP_LINE}
  spec=$(complete -p "$1") || return
  spec=${spec##*-F }
  ${spec%% *} 2>/dev/null
  printf '%s\n' "${COMPREPLY[@]}"
}
`

func TestBashCompletes(t *testing.T) {
	t.Parallel()
	const library = "/usr/share/bash-completion/bash_completion"
	if _, err := os.Stat(library); errors.Is(err, fs.ErrNotExist) {
		testenv.Missing(t, "no bash-completion: install the package of that name")
	}
	programs := findPrograms(t)
	if output, err := exec.Command(programs+"/gatewayctl", "install-links", programs).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, c := range []struct {
		name, program, words string
		want                 []string
	}{
		{"a command", "gatewayctl", "gatewayctl dest", []string{"destination"}},
		{"a command of a command", "gatewayctl", "gatewayctl destination al", []string{"alter"}},
		{"an option", "gatewayctl", "gatewayctl destination add --prov", []string{"--provider"}},
		{"a shell", "gatewayctl", "gatewayctl completion ''", []string{"bash", "fish", "zsh"}},
		{"an option of a command called by its own name", "gatewayctl", "module-backup --dr", []string{"--dry-run"}},
		{"a command of one called by its own name", "gatewayctl", "destination exp", []string{"export"}},
		{"the server's command", "rclone-gateway", "rclone-gateway check-d", []string{"check-destination"}},
		{"the server's option", "rclone-gateway", "rclone-gateway serve --redis-sentinel-", []string{"--redis-sentinel-master"}},
		{"a value of an option", "rclone-gateway", "rclone-gateway serve --log-level ''", []string{"debug", "error", "info", "warn"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("bash", "--norc", "-c", "source "+library+"\nsource <("+c.program+" completion bash)\n"+completeLine+"complete_line "+c.words)
			cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
			output, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			got := strings.Fields(string(output))
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("bash offers %q, want %q", got, c.want)
			}
		})
	}
}

// TestInstalledManualsAndCompletions writes what `make install` installs, and lets
// bash look for a completion as it does when it is first wanted.
func TestInstalledManualsAndCompletions(t *testing.T) {
	t.Parallel()
	programs, share := findPrograms(t), t.TempDir()
	if output, err := exec.Command(projectRoot+"/scripts/manuals", programs, share).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, name := range []string{
		"man/man8/rclone-gateway-serve.8", "man/man1/gatewayctl.1", "man/man1/module-backup.1",
		"zsh/site-functions/_gatewayctl", "fish/vendor_completions.d/module-backup.fish",
	} {
		if content, err := os.ReadFile(share + "/" + name); err != nil || len(content) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(content), err)
		}
	}
	for _, command := range []string{"gatewayctl", "rclone-gateway", "module-backup", "destination"} {
		cmd := exec.Command("bash", "--norc", "-c", "source /usr/share/bash-completion/bash_completion; _completion_loader "+command+"; complete -p "+command)
		cmd.Env = append(os.Environ(), "BASH_COMPLETION_USER_DIR="+share+"/bash-completion")
		if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "__start_") {
			t.Errorf("bash finds no completion of %s: %v: %s", command, err, output)
		}
	}
}
