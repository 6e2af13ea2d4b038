package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/encoding/unicode"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// The named errors that the gateway of these tests finds, by a word in the URL or
// the base path.
var plannedFaults = []string{
	adminapi.NoReadPermission, adminapi.NoWritePermission, adminapi.NoDeletePermission, adminapi.NotAccessible,
}

// answerAdmin plays the administrative endpoint of a gateway. It reports whether
// the request was one for it.
func answerAdmin(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/-/") {
		return false
	}
	if user, password, _ := r.BasicAuth(); user != "node/1" || password != redistest.Password(user) {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	var answer any
	switch r.URL.Path {
	case adminapi.CheckPath:
		var req adminapi.CheckRequest
		if json.NewDecoder(r.Body).Decode(&req) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		answer = plannedReport(req)
	case adminapi.ObscurePath:
		var req adminapi.ObscureRequest
		if json.NewDecoder(r.Body).Decode(&req) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		for key, value := range req.Values {
			req.Values[key] = "obscured-" + base64.RawURLEncoding.EncodeToString([]byte(value))
		}
		answer = adminapi.ObscureReply{Values: req.Values}
	case adminapi.SpacePath:
		answer = adminapi.SpaceReply{Destinations: map[string]adminapi.Space{
			roomyID: {Free: new(int64(3 << 30)), Used: new(int64(5 << 20)), Total: new(int64(4 << 30)), Held: new(int64(1 << 20)), Trash: new(int64(2 << 20))},
		}}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
	return true
}

// roomyID is the destination whose space the gateway of these tests knows.
const roomyID = "76d73f29-7446-5baf-a700-3ad39be75475"

func plannedReport(req adminapi.CheckRequest) adminapi.CheckReport {
	report := adminapi.CheckReport{ID: req.ID, Type: "b2", Steps: []adminapi.Step{{Name: "open", OK: true}}}
	if req.Conformance {
		report.Conformance = []adminapi.Conformance{{Name: "ranges"}, {Name: "lists", Failures: []string{"a list lies"}}}
	}
	if req.Candidate == nil {
		return report
	}
	if strings.Contains(req.Candidate.URL, "repositories-are-there") {
		report.Repository = &adminapi.Repository{Path: "mail/0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11", Keys: []json.RawMessage{keyFor("the-old-password")}}
	}
	for _, name := range plannedFaults {
		if strings.Contains(req.Candidate.URL+req.Candidate.BasePath, name) {
			report.Error, report.Reason = name, "as planned"
		}
	}
	return report
}

// keyFor makes a key file as restic does, at little cost.
func keyFor(password string) []byte {
	salt, iv := []byte("salt"), make([]byte, aes.BlockSize)
	derived, err := scrypt.Key([]byte(password), salt, 2, 1, 1, 64)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		panic(err)
	}
	master := []byte(`{"mac":{"k":"AAAA","r":"AAAA"},"encrypt":"AAAA"}`)
	cipher.NewCTR(block, iv).XORKeyStream(master, master)
	key, err := json.Marshal(map[string]any{"kdf": "scrypt", "N": 2, "r": 1, "p": 1, "salt": salt, "data": slices.Concat(iv, master, make([]byte, 16))})
	if err != nil {
		panic(err)
	}
	return key
}

// TestNoPasswordIsMadeUpOverRepositories that are at the storage already: the
// destination was removed, or its password lost.
func TestNoPasswordIsMadeUpOverRepositories(t *testing.T) {
	t.Parallel()
	a := administer(t)
	args := []string{"add", "--provider", "backblaze", "--url", "b2:repositories-are-there", "--set", "b2_account_id=A", "--secret-file", "b2_account_key=" + writeTemp(t, "k")}
	a.call(t, "", args...).fail(t, exit.Password, "there are repositories at this storage already, such as mail/0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11: give the password that they were made with, by --password-file")
	a.call(t, "", append(args, "--password-file", writeTemp(t, "another-password"))...).
		fail(t, exit.Password, "the password does not open repository mail/0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11, which is at this storage already")
	if n := len(a.Admin().Keys(t.Context(), catalog.DestinationKey("*")).Val()); n != 0 {
		t.Errorf("%d destinations were saved", n)
	}
	a.Do("HSET", catalog.ModulePassword, "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11", "the-old-password")
	const otherURL = "b2:repositories-are-there/of-modules"
	got := a.call(t, "", append([]string{"add", "--url", otherURL}, append(args[1:3:3], append(args[5:], "--password-file", writeTemp(t, "of-the-destination"))...)...)...).succeed(t)
	if !strings.Contains(got.stderr, "opens with a password of its module's own") {
		t.Errorf("of a module's own password it says %s", got.stderr)
	}
	a.Do("DEL", catalog.ModulePassword)
	added := a.call(t, "", append(args, "--json", "--password-file", writeTemp(t, "the-old-password"))...).succeed(t)
	if strings.Contains(added.stdout, "the-old-password") || !strings.Contains(added.stdout, `"id":`) {
		t.Errorf("it says %s", added.stdout)
	}
	passwords := a.Admin().HGetAll(t.Context(), catalog.ResticPassword).Val()
	if !slices.Contains(slices.Collect(maps.Values(passwords)), "the-old-password") {
		t.Error("the password was not saved")
	}
}

// administration is a cluster with a gateway, and the environment of the cluster's
// agent.
type administration struct {
	*redistest.Server
	vars map[string]string
}

func administer(t *testing.T) administration {
	t.Helper()
	server := cluster(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answerAdmin(w, r) {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(gateway.Close)
	node := filepath.Join(t.TempDir(), "agent.env")
	text := "REDIS_USER=node/1\nREDIS_PASSWORD=" + redistest.Password("node/1") + "\n"
	if err := os.WriteFile(node, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	core := filepath.Join(t.TempDir(), "core.env")
	if err := os.WriteFile(core, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return administration{server, map[string]string{
		"NS8_CORE_ENV":  core,
		"REDIS_ADDRESS": server.Addr, "REDIS_REPLICA_ADDRESS": server.Addr,
		"REDIS_USER": redistest.AdminUser, "REDIS_PASSWORD": redistest.Password(redistest.AdminUser),
		"NS8_AGENT_ENV": node, "NS8_GATEWAY_URL": gateway.URL,
	}}
}

// call runs a command of destination.
func (a administration) call(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return callApplet(t, a.vars, stdin, append([]string{program, "destination"}, args...)...)
}

// awkward is a secret that every syntax on its way could break.
const awkward = `100%(type)s "q" 'q' = # ; \ pässwörd 日本 `

func TestDestinationIsAddedWholeAndAnnounced(t *testing.T) {
	t.Parallel()
	a := administer(t)
	events := a.Client("", "").Subscribe(t.Context(), catalog.ChannelDestinationChanged)
	defer func() { _ = events.Close() }()
	if _, err := events.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"awkward": awkward, "long": strings.Repeat("0123456789abcdef", 256)} {
		got := a.call(t, secret+"\n", "add", "--provider", "backblaze", "--url", "b2:bucket/"+name, "--set", "b2_account_id=ID",
			"--secret-file", "b2_account_key=-").succeed(t)
		id, password, _ := strings.Cut(strings.TrimSpace(got.stdout), "\n")
		if len(password) != 64 || a.Do("HGET", catalog.ResticPassword, id) != password {
			t.Errorf("%s: the password is %q", name, password)
		}
		conf, _ := a.Do("HGET", catalog.RcloneConf, id).(string)
		section, values, err := rcloneconf.Parse(conf)
		if err != nil || section != id || values["key"] != secret || values["account"] != "ID" {
			t.Errorf("%s: section [%s] %q, %v", name, section, values, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		event, err := events.ReceiveMessage(ctx)
		cancel()
		if err != nil || event.Payload != `{"destination_ids":["`+id+`"]}` {
			t.Errorf("%s: announced %v, %v", name, event, err)
		}
		for _, args := range [][]string{{"list"}, {"list", "--json"}, {"show", id}, {"show", "--json", id}, {"export"}, {"list", "--action"}} {
			shown := a.call(t, "", args...).succeed(t)
			if strings.Contains(shown.stdout+shown.stderr, secret) || strings.Contains(shown.stdout+shown.stderr, password) {
				t.Errorf("%v shows a secret", args)
			}
			if !strings.Contains(shown.stdout, id) {
				t.Errorf("%v does not show the destination:\n%s", args, shown.stdout)
			}
		}
	}
}

func TestDestinationPasswordsAreObscured(t *testing.T) {
	t.Parallel()
	a := administer(t)
	request := `{"provider":"smb","name":"","url":"smb:myshare/subpath","password":"mine","parameters":{"smb_host":"10.114.0.2","smb_user":"bàck<up>&","smb_pass":"Nethesis,1234","smb_domain":"NTDOM"}}`
	got := a.call(t, request, "add", "--action").succeed(t)
	const id = "4d924319-154e-5686-b2d5-6849ca2486fc"
	if got.stdout != `{"id":"`+id+`","password":"mine"}`+"\n" {
		t.Errorf("the action answered %s", got.stdout)
	}
	conf, _ := a.Do("HGET", catalog.RcloneConf, id).(string)
	if !strings.Contains(conf, "pass = obscured-") || strings.Contains(conf, "Nethesis") {
		t.Errorf("section %s", conf)
	}
	// Altered with an empty secret it keeps the one it has, obscured once.
	a.call(t, `{"id":"`+id+`","provider":"smb","parameters":{"smb_host":"h","smb_user":"u","smb_pass":"","smb_domain":""}}`, "alter", "--action").succeed(t)
	after, _ := a.Do("HGET", catalog.RcloneConf, id).(string)
	_, before, _ := strings.Cut(conf, "pass = ")
	before, _, _ = strings.Cut(before, "\n")
	if !strings.Contains(after, "host = h\n") || !strings.Contains(after, "pass = "+before+"\n") {
		t.Errorf("section %s", after)
	}
}

func TestDestinationActionsEndAsInNethServer(t *testing.T) {
	t.Parallel()
	a := administer(t)
	a.vars["AGENT_COMFD"] = "2"
	b2 := func(url string) string {
		return `{"provider":"backblaze","name":"","url":"` + url + `","password":"","parameters":{"b2_account_id":"A","b2_account_key":"Very-Secret"}}`
	}
	var first struct{ ID string }
	if err := json.Unmarshal([]byte(a.call(t, b2("b2:bucket"), "add", "--action").succeed(t).stdout), &first); err != nil {
		t.Fatal(err)
	}
	if name := a.Do("HGET", catalog.DestinationKey(first.ID), "name"); name != "Backblaze bucket" {
		t.Errorf("named %q", name)
	}
	for _, tt := range []struct {
		name, action, request string
		code                  int
		want                  string
	}{
		{"exists", "add", b2("b2:bucket"), 2, `[{"field":"","parameter":"","value":"","error":"backup_repository_exists"}]`},
		{"no read", "add", b2("b2:no_read_permission"), 2, `[{"field":"parameters","parameter":"parameters","value":{},"error":"no_read_permission"}]`},
		{"no write", "add", b2("b2:no_write_permission"), 2, `[{"field":"parameters","parameter":"parameters","value":{},"error":"no_write_permission"}]`},
		{"no delete", "add", b2("b2:no_delete_permission"), 2, `[{"field":"parameters","parameter":"parameters","value":{},"error":"no_delete_permission"}]`},
		{"away", "add", b2("b2:backup_repository_not_accessible"), 2, `[{"field":"parameters","parameter":"parameters","value":{},"error":"backup_repository_not_accessible"}]`},
		{"a section without type", "add", `{"provider":"rclone","name":"","url":"","password":"","parameters":{"rclone_conf_secret":"host = Very-Secret"}}`, 2,
			`[{"field":"parameters","parameter":"parameters","value":"***","error":"rclone_conf_error"}]`},
		{"a comment in a section", "add", `{"provider":"rclone","name":"","url":"","password":"","parameters":{"rclone_conf_secret":"# Very-Secret"}}`, 10,
			`[{"field":"parameters.rclone_conf_secret","parameter":"parameters.rclone_conf_secret","value":null,"error":"pattern"}]`},
		{"a field is missing", "add", `{"provider":"backblaze","name":"","url":"b2:x","parameters":{}}`, 10,
			`[{"field":"password","parameter":"password","value":null,"error":"required"}]`},
		{"an unknown provider", "add", strings.Replace(b2("b2:x"), "backblaze", "floppy", 1), 10,
			`[{"field":"provider","parameter":"provider","value":null,"error":"enum"}]`},
		{"no JSON", "add", `{`, 10, `[{"field":"(root)","parameter":"(root)","value":null,"error":"invalid_json"}]`},
		{"nothing", "add", ``, 10, `[{"field":"(root)","parameter":"(root)","value":null,"error":"empty_input"}]`},
		{"unknown", "alter", `{"id":"x","provider":"backblaze"}`, 2, `[{"field":"id","parameter":"id","value":"x","error":"backup_repository_not_found"}]`},
		{"another provider", "alter", `{"id":"` + first.ID + `","provider":"aws"}`, 3, `[{"field":"provider","parameter":"provider","value":"aws","error":"backup_provider_mismatch"}]`},
		{"altered to one that is refused", "alter", `{"id":"` + first.ID + `","provider":"backblaze","url":"b2:no_write_permission"}`, 4,
			`[{"field":"parameters","parameter":"parameters","value":{},"error":"no_write_permission"}]`},
		{"unknown", "remove", `{"id":"x"}`, 2, `[{"field":"id","parameter":"id","value":"x","error":"backup_repository_not_found"}]`},
		{"no Base64", "import", `{"backup_password":"p","backup_data":"***"}`, 2, `[{"field":"backup_data","parameter":"backup_data","value":"","error":"invalid_base64"}]`},
		{"a wrong passphrase", "import", `{"backup_password":"p","backup_data":"` + encrypted(t, "other", `{}`) + `"}`, 3,
			`[{"field":"backup_password","parameter":"backup_password","value":"","error":"invalid_passphrase"}]`},
	} {
		got := a.call(t, tt.request, tt.action, "--action")
		if got.code != tt.code || strings.TrimSpace(got.stdout) != tt.want {
			t.Errorf("%s %s: exit status %d, %s; want %d, %s", tt.action, tt.name, got.code, got.stdout, tt.code, tt.want)
		}
		if !strings.Contains(got.stderr, "set-status validation-failed\r\n") {
			t.Errorf("%s %s: no status: %s", tt.action, tt.name, got.stderr)
		}
		if strings.Contains(got.stdout+got.stderr, "Very-Secret") {
			t.Errorf("%s %s: tells the secret", tt.action, tt.name)
		}
	}
	if url := a.Do("HGET", catalog.DestinationKey(first.ID), "url"); url != "b2:bucket" {
		t.Errorf("a refused change made the url %q", url)
	}
}

func TestDestinationInUseIsNotRemovedWithoutForce(t *testing.T) {
	t.Parallel()
	a := administer(t)
	id := strings.TrimSpace(a.call(t, "k", "add", "--provider", "backblaze", "--url", "b2:x", "--set", "b2_account_id=A", "--secret-file", "b2_account_key=-",
		"--password-file", writeTemp(t, "mine\n")).succeed(t).stdout)
	a.AddSchedule(redistest.Schedule{ID: "7", Repository: id, Name: "nightly"})
	a.AddSchedule(redistest.Schedule{ID: "8", Repository: "another", Name: "weekly"})
	if got := a.call(t, "", "list").succeed(t); !strings.Contains(got.stdout, "nightly (7)") {
		t.Errorf("the list does not show the schedule:\n%s", got.stdout)
	}
	a.call(t, "", "remove", id).fail(t, exit.Conflict, "nightly (7)")
	a.call(t, "", "remove", "--force", id).succeed(t)
	for _, key := range []string{catalog.DestinationKey(id), catalog.BackupKey("7")} {
		if a.Do("EXISTS", key) != int64(0) {
			t.Errorf("%s is still there", key)
		}
	}
	if a.Do("EXISTS", catalog.BackupKey("8")) != int64(1) || a.Do("HEXISTS", catalog.ResticPassword, id) != int64(0) || a.Do("HEXISTS", catalog.RcloneConf, id) != int64(0) {
		t.Error("too much or too little was removed")
	}
	a.call(t, "", "remove", id).fail(t, exit.NotFound, "does not exist: see gatewayctl destination list")
}

func TestDestinationBelowAnotherIsNotRemovedWithoutForce(t *testing.T) {
	t.Parallel()
	a := administer(t)
	below := a.aDestination(t)
	conf := writeTemp(t, "[c]\ntype = union\nupstreams = /srv/a "+below+":folder\n")
	above := strings.Fields(a.call(t, "", "add", "--provider", "rclone", "--conf", conf, "--name", "Both").succeed(t).stdout)[0]
	a.call(t, "", "remove", below).fail(t, exit.Conflict, "Both ("+above+")")
	if a.Do("EXISTS", catalog.DestinationKey(below)) != int64(1) {
		t.Error("it is gone")
	}
	a.call(t, "", "remove", "--force", below).succeed(t)
	a.call(t, "", "remove", above).succeed(t)
}

func TestBasePathIsAlteredInBothPlaces(t *testing.T) {
	t.Parallel()
	a := administer(t)
	id := strings.Fields(a.call(t, "type = ftp\nhost = h\n", "add", "--provider", "rclone", "--conf", "-", "--base-path", "one").succeed(t).stdout)[0]
	for request, want := range map[string]string{
		`"basepath":"two"`: "two", `"parameters":{"basepath":"three"}`: "three", `"basepath":"no","parameters":{"basepath":"four"}`: "four", `"basepath":""`: "",
	} {
		a.call(t, `{"id":"`+id+`","provider":"rclone",`+request+`}`, "alter", "--action").succeed(t)
		if got := a.Do("HGET", catalog.DestinationKey(id), "basepath"); got != want {
			t.Errorf("%s made it %v", request, got)
		}
	}
	if got := a.call(t, `{"id":"`+id+`","provider":"rclone","basepath":5}`, "alter", "--action"); got.code != int(exit.Invalid) || !strings.Contains(got.stdout, "invalid_type") {
		t.Errorf("exit status %d, %s", got.code, got.stdout)
	}
}

// aDestination adds one and returns its ID.
func (a administration) aDestination(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(a.call(t, "k", "add", "--provider", "backblaze", "--url", "b2:x", "--set", "b2_account_id=A", "--secret-file", "b2_account_key=-",
		"--password-file", writeTemp(t, "mine\n")).succeed(t).stdout)
}

// TestFilesOfWindows are taken as Windows' own programs write them.
func TestFilesOfWindows(t *testing.T) {
	t.Parallel()
	a := administer(t)
	conf, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("[nas]\r\ntype = sftp\r\nhost = nas.example.org\r\n\r\n[x]\r\ntype = ftp\r\n")
	if err != nil {
		t.Fatal(err)
	}
	a.call(t, "", "add", "--provider", "rclone", "--conf", writeTemp(t, conf), "--section", "nas").succeed(t)
	id := strings.Fields(a.call(t, "", "add", "--provider", "backblaze", "--url", "b2:x", "--set", "b2_account_id=A",
		"--secret-file", "b2_account_key="+writeTemp(t, "\ufeffkey\r\n"), "--password-file", writeTemp(t, "\ufeffmine\r\n")).succeed(t).stdout)[0]
	text, _ := a.Do("HGET", catalog.RcloneConf, id).(string)
	if _, section, err := rcloneconf.Parse(text); err != nil || section["key"] != "key" || a.Do("HGET", catalog.ResticPassword, id) != "mine" {
		t.Errorf("saved were %q, %v, and the password %q", section, err, a.Do("HGET", catalog.ResticPassword, id))
	}
	if list := a.call(t, "", "list").succeed(t).stdout; !strings.Contains(list, "rclone:sftp:nas.example.org:") {
		t.Errorf("the list is\n%s", list)
	}
}

func TestLimitsOfADestinationAreSetShownAndCleared(t *testing.T) {
	t.Parallel()
	const mailUUID, otherUUID = "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11", "5a6d3c1e-1111-4222-8333-0123456789ab"
	a := administer(t)
	a.AddModules(redistest.Module{ID: "mail7", UUID: mailUUID})
	id := a.aDestination(t)
	key := catalog.LimitsKey(id)
	events := a.Client("", "").Subscribe(t.Context(), catalog.ChannelDestinationChanged)
	defer func() { _ = events.Close() }()
	if _, err := events.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := a.call(t, "", "export", "--with-secrets").succeed(t).stdout
	// A field of a later version is nobody's business.
	a.Do("HSET", key, "color", "5")

	for _, step := range []struct {
		args []string
		want map[string]string
	}{
		{[]string{"--limit-upload", "10M", "--limit-download", "100Mbit/s", "--limit-operations", "8"}, map[string]string{
			"upload": "10485760", "download": "12500000", "operations": "8", "color": "5",
		}},
		{[]string{"--quota", "1.5 TiB", "--module-quota", "200G", "--quota-of", "mail7=1T", "--quota-of", otherUUID + "=unlimited", "--limit-download", "none"}, map[string]string{
			"upload": "10485760", "operations": "8", "color": "5", "quota": "1649267441664", "module_quota": "214748364800",
			"module_quota:" + mailUUID: "1099511627776", "module_quota:" + otherUUID: "0",
		}},
		{[]string{"--quota-of", "mail7=none", "--quota", "none", "--name", "Renamed"}, map[string]string{
			"upload": "10485760", "operations": "8", "color": "5", "module_quota": "214748364800", "module_quota:" + otherUUID: "0",
		}},
		{[]string{"--no-limits", "--quota", "64K"}, map[string]string{"quota": "65536"}},
		{[]string{"--no-limits"}, map[string]string{}},
	} {
		a.call(t, "", append(append([]string{"alter"}, step.args...), id)...).succeed(t)
		if got := a.Client(redistest.AdminUser, redistest.Password(redistest.AdminUser)).HGetAll(t.Context(), key).Val(); !maps.Equal(got, step.want) {
			t.Errorf("%v: %v; want %v", step.args, got, step.want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		event, err := events.ReceiveMessage(ctx)
		cancel()
		if err != nil || event.Payload != `{"destination_ids":["`+id+`"]}` {
			t.Errorf("%v: announced %v, %v", step.args, event, err)
		}
		if slices.Contains(step.args, "mail7=1T") {
			got := a.call(t, "", "show", id).succeed(t).stdout
			for _, want := range []string{"limit upload      10.0 MiB/s\n", "limit operations  8\n", "quota             1.5 TiB\n", "module quota      200.0 GiB\n", "quota of mail7    1.0 TiB\n", "quota of " + otherUUID + "  unlimited\n"} {
				if !containsFields(got, want) {
					t.Errorf("show does not tell %q:\n%s", want, got)
				}
			}
			if got := a.call(t, "", "show", "--json", id).succeed(t).stdout; !strings.Contains(got, `"module_quota:`+otherUUID+`": 0`) || !strings.Contains(got, `"quota": 1649267441664`) {
				t.Errorf("show --json: %s", got)
			}
		}
	}
	// Nothing else has changed, but the name.
	after := a.call(t, "", "export", "--with-secrets").succeed(t).stdout
	if want := strings.Replace(before, `"name": "Backblaze x"`, `"name": "Renamed"`, 1); after != want {
		t.Errorf("it became\n%s, not\n%s", after, want)
	}
}

// containsFields reports whether a line of the text has the words of that line.
func containsFields(text, line string) bool {
	for l := range strings.Lines(text) {
		if slices.Equal(strings.Fields(l), strings.Fields(line)) {
			return true
		}
	}
	return false
}

func TestLimitsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	a := administer(t)
	id := a.aDestination(t)
	for _, tt := range []struct {
		args []string
		code exit.Code
		want string
	}{
		{[]string{"--limit-upload", "10"}, exit.Usage, "it needs a unit"},
		{[]string{"--limit-download", "fast"}, exit.Usage, "no number"},
		{[]string{"--limit-operations", "0"}, exit.Usage, "1 or more"},
		{[]string{"--quota", "-1G"}, exit.Usage, "--quota"},
		{[]string{"--quota", "0G"}, exit.Usage, "none"},
		{[]string{"--module-quota", "1Mbit"}, exit.Usage, "unit"},
		{[]string{"--quota-of", "mail7"}, exit.Usage, "MODULE=SIZE"},
		{[]string{"--quota-of", "absent1=1G"}, exit.NotFound, "module absent1 does not exist"},
		{nil, exit.Usage, "nothing is to be changed"},
	} {
		a.call(t, "", append(append([]string{"alter"}, tt.args...), id)...).fail(t, tt.code, tt.want)
	}
	for request, want := range map[string]string{
		`"limits":[]`:                                `"field":"limits","parameter":"limits","value":null,"error":"invalid_type"`,
		`"limits":{"quota":"5G"}`:                    `"field":"limits.quota","parameter":"limits.quota","value":null,"error":"invalid_type"`,
		`"limits":{"upload":1.5}`:                    `"error":"invalid_type"`,
		`"limits":{"upload":-1}`:                     `"error":"number_gte"`,
		`"limits":{"download":100}`:                  `"error":"number_gte"`,
		`"limits":{"color":5}`:                       `"field":"limits.color","parameter":"limits.color","value":null,"error":"additional_property_not_allowed"`,
		`"limits":{"module_quota:mail7":5}`:          `"error":"additional_property_not_allowed"`,
		`"limits":{"quota":99999999999999999999999}`: `"error":"invalid_type"`,
	} {
		got := a.call(t, `{"id":"`+id+`","provider":"backblaze",`+request+`}`, "alter", "--action")
		if got.code != int(exit.Invalid) || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: exit status %d, %s", request, got.code, got.stdout)
		}
	}
	if a.Do("EXISTS", catalog.LimitsKey(id)) != int64(0) {
		t.Error("something was set")
	}
}

func TestLimitsOfAnActionAndTheirWay(t *testing.T) {
	t.Parallel()
	const module = "module_quota:5a6d3c1e-1111-4222-8333-0123456789ab"
	a, b := administer(t), administer(t)
	id := a.aDestination(t)
	limits := func(a administration) map[string]string {
		return a.Client(redistest.AdminUser, redistest.Password(redistest.AdminUser)).HGetAll(t.Context(), catalog.LimitsKey(id)).Val()
	}
	alter := func(request string) {
		t.Helper()
		a.call(t, `{"id":"`+id+`","provider":"backblaze","limits":`+request+`}`, "alter", "--action").succeed(t)
	}
	alter(`{"upload":5000,"quota":5000000000,"` + module + `":0}`)
	alter(`{"upload":null,"download":0}`)
	want := map[string]string{"quota": "5000000000", module: "0"}
	if got := limits(a); !maps.Equal(got, want) {
		t.Errorf("limits %v; want %v", got, want)
	}
	whole := a.call(t, "", "export", "--with-secrets").succeed(t).stdout
	b.call(t, whole, "import", "-").succeed(t)
	if got := limits(b); !maps.Equal(got, want) {
		t.Errorf("imported limits %v; want %v", got, want)
	}
	a.call(t, "", "remove", id).succeed(t)
	if got := limits(a); len(got) != 0 {
		t.Errorf("limits %v are left of what was removed", got)
	}
	// Those that something else left behind are not for a new one.
	a.Do("HSET", catalog.LimitsKey(id), "quota", "1")
	a.aDestination(t)
	if got := limits(a); len(got) != 0 {
		t.Errorf("a new destination has the limits %v", got)
	}
}

func TestListTellsSpaceAsFarAsItIsKnown(t *testing.T) {
	t.Parallel()
	a := administer(t)
	dull := a.aDestination(t)
	a.call(t, "", "add", "--provider", "cluster", "--url", "webdav:http://10.5.4.2:4694", "--name", "disk").succeed(t)
	a.call(t, "", "alter", "--quota", "2G", roomyID).succeed(t)
	for _, tt := range []struct {
		name, gateway, row, warning string
	}{
		{"with a gateway", a.vars["NS8_GATEWAY_URL"], roomyID + " disk cluster webdav:http://10.5.4.2:4694 5.0 MiB 3.0 GiB 2.0 MiB 1.0 MiB of 2.0 GiB -", ""},
		{"without one", "http://127.0.0.1:1", roomyID + " disk cluster webdav:http://10.5.4.2:4694 - - - 2.0 GiB -", "does not answer"},
		{"with one that takes its time", silentServer(t), roomyID + " disk cluster webdav:http://10.5.4.2:4694 - - - 2.0 GiB -", "does not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			there := administration{a.Server, maps.Clone(a.vars)}
			there.vars["NS8_GATEWAY_URL"] = tt.gateway
			var got, asJSON outcome
			var calls sync.WaitGroup
			calls.Go(func() { got = there.call(t, "", "list") })
			calls.Go(func() { asJSON = there.call(t, "", "list", "--json") })
			calls.Wait()
			got.succeed(t)
			for _, row := range []string{tt.row, dull + " Backblaze x backblaze b2:x - - - - -"} {
				if !containsFields(got.stdout, row) {
					t.Errorf("no row %q:\n%s", row, got.stdout)
				}
			}
			if !strings.Contains(got.stderr, tt.warning) || tt.warning == "" && got.stderr != "" {
				t.Errorf("stderr: %s", got.stderr)
			}
			var list []struct {
				ID    string
				Space map[string]*int64
			}
			if err := json.Unmarshal([]byte(asJSON.succeed(t).stdout), &list); err != nil || len(list) != 2 {
				t.Fatalf("%v, %v", list, err)
			}
			for _, d := range list {
				free, told := d.Space["free"]
				if !told || (free != nil) != (d.ID == roomyID && tt.warning == "") {
					t.Errorf("%s: space %v", d.ID, d.Space)
				}
			}
		})
	}
}

// silentServer accepts connections and says nothing.
func silentServer(t *testing.T) string {
	t.Helper()
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(done) })
	return server.URL
}

func writeTemp(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDestinationsSurviveExportAndImport(t *testing.T) {
	t.Parallel()
	a, b := administer(t), administer(t)
	conf := writeTemp(t, "[other]\ntype = s3\n\n[nas]\n# mine\ntype = sftp\nhost = nas\npass = `"+strings.TrimSpace(awkward)+"`\n")
	a.call(t, "", "add", "--provider", "rclone", "--conf", conf, "--section", "nas", "--base-path", "/backups").succeed(t)
	a.call(t, "", "add", "--provider", "cluster", "--url", "webdav:http://10.5.4.1:4694").succeed(t)
	plain := a.call(t, "", "export").succeed(t).stdout
	if got := b.call(t, plain, "import", "-").succeed(t); !strings.Contains(got.stdout, "0 imported, 2 skipped") {
		t.Errorf("imported without secrets: %s", got.stdout)
	}
	whole := a.call(t, "", "export", "--with-secrets").succeed(t).stdout
	if got := b.call(t, whole, "import", "-").succeed(t); !strings.Contains(got.stdout, "2 imported, 0 skipped") {
		t.Errorf("imported %s", got.stdout)
	}
	if got := b.call(t, whole, "import", "--json", "-").succeed(t); got.stdout != `{"imported_destinations":0,"skipped_destinations":2}`+"\n" {
		t.Errorf("imported again %s", got.stdout)
	}
	if again := b.call(t, "", "export", "--with-secrets").succeed(t).stdout; again != whole {
		t.Errorf("it came back as\n%s, not\n%s", again, whole)
	}
	b.Do("SET", catalog.ClusterUUID, "another")
	for id := range exported(t, whole) {
		b.call(t, "", "remove", id).succeed(t)
	}
	if got := b.call(t, whole, "import", "-").succeed(t); !strings.Contains(got.stdout, "1 imported, 1 skipped") {
		t.Errorf("a disk of another cluster: %s", got.stdout)
	}
}

func exported(t *testing.T, text string) map[string]any {
	t.Helper()
	var archive struct {
		Cluster struct {
			Destinations map[string]any `json:"backup_repository"`
		}
	}
	if err := json.Unmarshal([]byte(text), &archive); err != nil {
		t.Fatal(err)
	}
	return archive.Cluster.Destinations
}

// encrypted is what gpg --symmetric makes of the compressed text, in Base64.
func encrypted(t *testing.T, passphrase, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := openpgp.SymmetricallyEncrypt(&b, []byte(passphrase), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(w)
	_, err = z.Write([]byte(text))
	for _, err := range []error{err, z.Close(), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestDestinationsOfAClusterBackup(t *testing.T) {
	t.Parallel()
	a := administer(t)
	const id = "b6f0639c-4276-5b7b-8752-eda8eda282db"
	for name, backup := range map[string]string{
		"of today":      `{"version":4,"cluster":{"uuid":"u","backup_repository":{"` + id + `":{"name":"n","provider":"backblaze","url":"b2:b","basepath":"","rclone_conf":"[` + id + `]\ntype = b2\naccount = A\nkey = K\n","restic_password":"P"}}}}`,
		"of an old day": `{"version":3,"cluster":{"uuid":"u","backup_repository":{"` + id + `":{"name":"n","provider":"backblaze","url":"b2:b","password":"P","b2_account_id":"A","b2_account_key":"K"}}}}`,
	} {
		request := `{"backup_password":"right","backup_data":"` + encrypted(t, "right", backup) + `"}`
		if got := a.call(t, request, "import", "--action").succeed(t); got.stdout != `{"imported_destinations":1,"skipped_destinations":0}`+"\n" {
			t.Errorf("%s: %s", name, got.stdout)
		}
		conf, _ := a.Do("HGET", catalog.RcloneConf, id).(string)
		if _, section, err := rcloneconf.Parse(conf); err != nil || section["key"] != "K" || section["account"] != "A" || a.Do("HGET", catalog.ResticPassword, id) != "P" {
			t.Errorf("%s: %s, %v", name, conf, err)
		}
		a.call(t, "", "remove", id).succeed(t)
	}
}

func TestDestinationCommandLinesThatAreWrong(t *testing.T) {
	t.Parallel()
	a := administer(t)
	for name, tt := range map[string]struct {
		args []string
		code exit.Code
		want string
	}{
		"a secret in argv":         {[]string{"add", "--provider", "backblaze", "--set", "b2_account_key=Very-Secret"}, exit.Usage, "--secret-file"},
		"no provider":              {[]string{"add"}, exit.Usage, "--provider"},
		"no parameters":            {[]string{"add", "--provider", "backblaze", "--url", "b2:x"}, exit.Invalid, "the application key is needed: --secret-file b2_account_key=FILE"},
		"no URL":                   {[]string{"add", "--provider", "azure"}, exit.Invalid, "--url must have the form azure:CONTAINER/FOLDER; the storage account is needed"},
		"a parameter of nobody":    {[]string{"alter", a.aDestination(t), "--set", "b2_acount_id=A"}, exit.Invalid, "backblaze takes no b2_acount_id, but b2_account_id, b2_account_key"},
		"an empty secret":          {[]string{"add", "--provider", "backblaze", "--secret-file", "b2_account_key=" + writeTemp(t, "\r\n")}, exit.Usage, "there is nothing in the file"},
		"a secret that is no text": {[]string{"add", "--provider", "backblaze", "--secret-file", "b2_account_key=" + writeTemp(t, "Very-Secret\xff")}, exit.Usage, "is no text in UTF-8"},
		"an encrypted archive":     {[]string{"import", writeTemp(t, "\x8c\x0d")}, exit.Usage, "--passphrase-file"},
		"no section of that name":  {[]string{"add", "--provider", "rclone", "--conf", writeTemp(t, "[a]\ntype = s3\n"), "--section", "b"}, exit.Usage, "no section [b] in the file, but a"},
		"several sections":         {[]string{"add", "--provider", "rclone", "--conf", writeTemp(t, "[a]\ntype = s3\n[b]\n")}, exit.Usage, "say which with --section: a, b"},
		"no file to import":        {[]string{"import"}, exit.Usage, "give one file that export wrote"},
		"no destination":           {[]string{"show"}, exit.Usage, "give the name or the ID of one destination"},
		"an unknown destination":   {[]string{"show", "x"}, exit.NotFound, "destination x does not exist"},
		"no archive":               {[]string{"import", writeTemp(t, "{}")}, exit.Invalid, "no archive"},
		"a failing conformance":    {[]string{"alter", "x"}, exit.NotFound, "destination x does not exist"},
		"export of what is not":    {[]string{"export", "x"}, exit.NotFound, "destination x does not exist"},
		"a file that is not there": {[]string{"import", "/nowhere/at/all"}, exit.Usage, "/nowhere/at/all"},
	} {
		got := a.call(t, "", tt.args...)
		got.fail(t, tt.code, tt.want)
		if strings.Contains(got.stderr, "Very-Secret") {
			t.Errorf("%s: the secret is told", name)
		}
	}
}

func TestDestinationCheck(t *testing.T) {
	t.Parallel()
	a := administer(t)
	const id = "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"
	if got := a.call(t, "", "check", id).succeed(t); !strings.Contains(got.stdout, "open    ok") {
		t.Errorf("told %s", got.stdout)
	}
	got := a.call(t, "", "check", "--conformance", id)
	if got.code != int(exit.Failed) || !strings.Contains(got.stdout, "lists: FAILED: a list lies") {
		t.Errorf("exit status %d, %s", got.code, got.stdout)
	}
	a.vars["NS8_GATEWAY_URL"] = "http://127.0.0.1:1"
	a.call(t, "", "check", id).fail(t, exit.Unreachable, "does not answer")
	a.vars["NS8_AGENT_ENV"] = "/nowhere"
	a.call(t, "", "check", id).fail(t, exit.Usage, "credentials of a node")
}

func TestDestinationsNeedTheClustersCredentials(t *testing.T) {
	t.Parallel()
	a := administer(t)
	a.vars["REDIS_USER"], a.vars["REDIS_PASSWORD"] = "module/mymodule1", redistest.Password("module/mymodule1")
	a.call(t, "k", "add", "--provider", "backblaze", "--url", "b2:x", "--set", "b2_account_id=A", "--secret-file", "b2_account_key=-").
		fail(t, exit.Forbidden, "cluster's agent")
	a.vars["REDIS_USER"], a.vars["REDIS_PASSWORD"] = "node/1", redistest.Password("node/1")
	a.call(t, "k", "add", "--provider", "backblaze", "--url", "b2:x", "--set", "b2_account_id=A", "--secret-file", "b2_account_key=-").
		fail(t, exit.Forbidden, "cluster's agent")
}

// TestAGatewayThatServesNobodyIsAskedForTheReason has add say what "rclone-gateway
// health" would.
func TestAGatewayThatServesNobodyIsAskedForTheReason(t *testing.T) {
	t.Parallel()
	a := administer(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.URL.Path == "/-/ready" {
			_, _ = w.Write([]byte("not ready: Redis has not been read (request 1)\n")) // the client may be gone
		}
	}))
	t.Cleanup(gateway.Close)
	a.vars["NS8_GATEWAY_URL"] = gateway.URL
	args := []string{"add", "--provider", "backblaze", "--url", "b2:x", "--set", "b2_account_id=A", "--secret-file", "b2_account_key=-"}
	a.call(t, "k", args...).fail(t, exit.Unreachable, "answered 503 Service Unavailable: not ready: Redis has not been read")
	got := a.call(t, "k", args...)
	if first := strings.TrimPrefix(got.stderr, "gatewayctl: "); !strings.HasPrefix(first, "the gateway at") || !strings.Contains(first, "[backup_repository_not_accessible]\n") {
		t.Errorf("the sentence must come first, the code last: %s", got.stderr)
	}
}
