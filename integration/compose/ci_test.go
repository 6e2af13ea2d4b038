package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what docs/compose.md uses of a workflow of GitHub Actions.
type workflow struct {
	On   string `yaml:"on"`
	Jobs map[string]struct {
		RunsOn string `yaml:"runs-on"`
		Steps  []step `yaml:"steps"`
	} `yaml:"jobs"`
}

type step struct {
	Uses             string            `yaml:"uses"`
	With             map[string]string `yaml:"with"`
	Run              string            `yaml:"run"`
	WorkingDirectory string            `yaml:"working-directory"`
	Env              map[string]string `yaml:"env"`
}

// gitlabJob is what it uses of a job of GitLab CI.
type gitlabJob struct {
	Image     string            `yaml:"image"`
	Services  []string          `yaml:"services"`
	Variables map[string]string `yaml:"variables"`
	Script    []string          `yaml:"script"`
}

const projectRepository = "rclone-gateway/rclone-gateway"

// TestDocumentedGitHubWorkflow does what a runner does: it checks out where the steps
// say, and runs their commands.
func TestDocumentedGitHubWorkflow(t *testing.T) {
	t.Parallel()
	var w workflow
	snippet(t, "GitHub Actions", &w)
	job, ok := w.Jobs["backup"]
	if !ok || len(w.Jobs) != 1 || w.On == "" || !strings.HasPrefix(job.RunsOn, "ubuntu-") {
		t.Fatalf("a workflow needs events, and one job with a runner: %+v", w)
	}
	e := startEngine(t)
	workspace := worldReadable(t)
	p := newProject(t, e, "github")
	p.dir = filepath.Join(workspace, "gateway")
	ran := 0
	for _, s := range job.Steps {
		if s.Uses != "" {
			checkOut(t, e, workspace, s)
			continue
		}
		guide := readGuide(t)
		p.runBlock(t, guide.fill)
		p.env = variables(s.Env, nil)
		wantPassed(t, p, p.shell(t.Context(), "bash", "set -e\ncd '"+filepath.Join(workspace, s.WorkingDirectory)+"'\n"+s.Run))
		ran++
	}
	if ran != 1 {
		t.Errorf("%d steps run commands, want 1", ran)
	}
	if text, err := os.ReadFile(filepath.Join(p.volume(t, "module-data"), "ours.txt")); err != nil || string(text) != "ours" {
		t.Errorf("the fixture in the module's volume: %q, %v", text, err)
	}
	if n := count(t, filepath.Join(p.volume(t, "module-data"), "*")); n != 1 {
		t.Errorf("%d files are in the module's volume, want the fixture alone", n)
	}
}

// checkOut is actions/checkout.
func checkOut(t *testing.T, e *engine, workspace string, s step) {
	t.Helper()
	if !regexp.MustCompile(`^actions/checkout@v\d+$`).MatchString(s.Uses) || s.Run != "" {
		t.Fatalf("step %+v: the tests do not know it", s)
	}
	for key := range s.With {
		if key != "path" && key != "repository" {
			t.Errorf("actions/checkout is told %q", key)
		}
	}
	dir := filepath.Join(workspace, s.With["path"])
	switch s.With["repository"] {
	case "":
		anotherProject(t, dir)
	case projectRepository:
		copyTree(t, e.root, dir, notInGit...)
	default:
		t.Errorf("a checkout of %q", s.With["repository"])
	}
}

// TestDocumentedGitLabJob runs the script of the job where GitLab would.
func TestDocumentedGitLabJob(t *testing.T) {
	t.Parallel()
	var jobs map[string]gitlabJob
	snippet(t, "GitLab CI", &jobs)
	job, ok := jobs["backup"]
	if !ok || len(jobs) != 1 || len(job.Services) != 1 || !strings.HasPrefix(job.Image, "docker:") || job.Services[0] != job.Image+"-dind" {
		t.Fatalf("a job needs docker, and its engine of the same version as a service: %+v", jobs)
	}
	e := startEngine(t)
	builds := worldReadable(t)
	repository := checkout(t, e)
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--message=x"}} {
		git := exec.CommandContext(t.Context(), "git", append([]string{"-C", repository}, args...)...)
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	p := newProject(t, e, "gitlab")
	p.dir = filepath.Join(builds, "project")
	anotherProject(t, p.dir)
	p.env = append(variables(job.Variables, map[string]string{"CI_PROJECT_DIR": p.dir}),
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url."+repository+".insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/"+projectRepository)
	script := p.shell(t.Context(), "sh", "set -e\n"+strings.Join(job.Script, "\n"))
	// What compose is told afterwards, it is told there.
	p.dir = filepath.Join(p.dir, "gateway")
	wantPassed(t, p, script)
}

// snippet reads the YAML that comes behind the name of a CI in the guide. A key that
// we do not know is an error.
func snippet(t *testing.T, ci string, into any) {
	t.Helper()
	_, text, _ := strings.Cut(readGuide(t).page.Text, "\n"+ci+":\n\n```yaml\n")
	text, _, found := strings.Cut(text, "```")
	if !found {
		t.Fatalf("%s has no YAML for %s", guidePage, ci)
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s, %s: %v", guidePage, ci, err)
	}
}

// anotherProject makes what a project has that checks itself against the gateway.
func anotherProject(t *testing.T, dir string) {
	t.Helper()
	copyTree(t, module(t, "true"), filepath.Join(dir, "module"))
	for _, made := range []error{
		os.Mkdir(filepath.Join(dir, "fixtures"), 0o755),
		os.WriteFile(filepath.Join(dir, "fixtures/ours.txt"), []byte("ours"), 0o644),
	} {
		if made != nil {
			t.Fatal(made)
		}
	}
}

// variables are those of a job, in which others of the CI may be named.
func variables(job, ci map[string]string) []string {
	var env []string
	for name, value := range job {
		env = append(env, name+"="+os.Expand(value, func(name string) string { return ci[name] }))
	}
	return env
}

// wantPassed wants the job's commands to end well, having tested the project's module.
func wantPassed(t *testing.T, p *project, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if last := lastSaid(string(out), "test"); err != nil || !strings.HasPrefix(last, "test: passed: module myapp1 comes back from local and s3") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, where := range []string{p.volume(t, "repositories"), p.volume(t, "s3") + "/backups"} {
		if n := count(t, where+"/myapp/*/snapshots/*"); n != 1 {
			t.Errorf("%d snapshots in %s, want 1", n, where)
		}
	}
}
