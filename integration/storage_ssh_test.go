package integration

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestAKeyOfSSHWithAPassphraseIsNamed gives OpenSSH's own key files to the check: in the
// section and as a file, without the passphrase, with a wrong one and with the right one.
func TestAKeyOfSSHWithAPassphraseIsNamed(t *testing.T) {
	t.Parallel()
	const passphrase = "correct horse"
	s := startSSH(t)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(s.secret, `\n`, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	// One round of the key derivation: with the race detector each takes a second.
	runCommand(t, commandContext(t, "ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", passphrase, "-f", file))
	protected, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pem := strings.ReplaceAll(string(protected), "\n", `\n`)
	c := newCluster(t)
	g := c.serve(t)
	for name, tt := range map[string]struct {
		change map[string]string
		reason string
	}{
		"in the section, without":       {map[string]string{"key_pem": pem}, "give it as key_file_pass, obscured"},
		"in the section, a wrong one":   {map[string]string{"key_pem": pem, "key_file_pass": "wrong"}, "give it as key_file_pass, obscured"},
		"in the section, the right one": {map[string]string{"key_pem": pem, "key_file_pass": passphrase}, ""},
		"as a file, without":            {map[string]string{"key_file": file}, "give it as key_file_pass, obscured"},
		"as a file, a wrong one":        {map[string]string{"key_file": file, "key_file_pass": "wrong"}, "give it as key_file_pass, obscured"},
		"as a file, the right one":      {map[string]string{"key_file": file, "key_file_pass": passphrase}, ""},
	} {
		section := s.section("")
		delete(section, "key_pem")
		maps.Copy(section, tt.change)
		values, err := backend.Obscure("sftp", section)
		if err != nil {
			t.Fatal(err)
		}
		conf := "[" + moreDest + "]\n"
		for key, value := range values {
			conf += key + " = " + value + "\n"
		}
		c.AddDestinations(redistest.Destination{ID: moreDest, Name: "sftp", Provider: "rclone", URL: "rclone:" + moreDest, BasePath: s.base(moreDest), RcloneConf: conf})
		answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, []byte(`{"id":"`+moreDest+`"}`))
		var report adminapi.CheckReport
		if err := json.Unmarshal(answer.body, &report); err != nil {
			t.Fatal(err)
		}
		if (report.Error == "") != (tt.reason == "") || !strings.Contains(report.Reason, tt.reason) {
			t.Errorf("%s: %+v; want %q", name, report, tt.reason)
		}
	}
}
