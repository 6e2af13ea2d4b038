package destination

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var request map[string]any
	if err := json.Unmarshal([]byte(text), &request); err != nil {
		t.Fatal(err)
	}
	return request
}

func TestIDsAreThoseOfNethServer(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]string{
		`{"name":"repository1","provider":"backblaze","url":"b2:mybucket/mybackup","password":"","parameters":{
			"b2_account_id":"YEFYEIOEHGO","b2_account_key":"sdifjsiodv7sdv7suivyhsfv7fvyhdfvb7d"}}`: "b6f0639c-4276-5b7b-8752-eda8eda282db",
		`{"name":"n","password":"p","provider":"cluster","url":"webdav:http://10.5.4.2:4694","parameters":{}}`: "76d73f29-7446-5baf-a700-3ad39be75475",
		`{"parameters":{"smb_user":"bàck<up>&","smb_pass":"Nethesis,1234","smb_host":"10.114.0.2","smb_domain":"NTDOM"},
			"provider":"smb","url":"smb:myshare/subpath","name":"","password":""}`: "4d924319-154e-5686-b2d5-6849ca2486fc",
	} {
		if id, err := ID(decode(t, request)); id != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", request, id, err, want)
		}
	}
}

func TestJSONForIDsEscapesNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	got, err := compactJSON(map[string]any{"b": "\u2028<&>\u2029é\\u2028", "a": nil, "c": "\n\"\x01\x7f"})
	want := "{\"a\":null,\"b\":\"\u2028<&>\u2029é\\\\u2028\",\"c\":\"\\n\\\"\\u0001\x7f\"}"
	if string(got) != want || err != nil {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func params(pairs ...string) Parameters {
	p := Parameters{}
	for i := 0; i < len(pairs); i += 2 {
		p[pairs[i]] = &pairs[i+1]
	}
	return p
}

// s3Keys are the parameters of the examples of S3.
func s3Keys(more ...string) Parameters {
	return params(append([]string{"aws_access_key_id", "ID", "aws_secret_access_key", "SECRET"}, more...)...)
}

func TestSectionOfEveryProviderAndVendor(t *testing.T) {
	t.Parallel()
	s3 := func(pairs ...string) map[string]string {
		m := map[string]string{"type": "s3", "env_auth": "true", "access_key_id": "ID", "secret_access_key": "SECRET"}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, tt := range []struct {
		provider, url string
		params        Parameters
		want          map[string]string
	}{
		{Backblaze, "b2:b/f", params("b2_account_id", "A", "b2_account_key", "K"), map[string]string{"type": "b2", "account": "A", "key": "K"}},
		{Azure, "azure:c", params("azure_account_name", "A", "azure_account_key", "K=="), map[string]string{"type": "azureblob", "account": "A", "key": "K=="}},
		{SMB, "smb:s/f", params("smb_host", "H", "smb_user", "U", "smb_pass", "P", "smb_domain", "D"),
			map[string]string{"type": "smb", "host": "H", "user": "U", "pass": "P", "domain": "D"}},
		{Cluster, "webdav:http://10.5.4.2:4694", nil, map[string]string{"type": "local"}},
		{AWS, "s3:s3.amazonaws.com/b", s3Keys("aws_default_region", "us-east-1"), s3("endpoint", "s3.amazonaws.com", "provider", "AWS", "region", "us-east-1")},
		{AWS, "s3:s3.amazonaws.com/b", s3Keys(), s3("endpoint", "s3.amazonaws.com", "provider", "AWS", "region", "")},
		{GenericS3, "s3:ams3.digitaloceanspaces.com/b", s3Keys("aws_default_region", "x"), s3("endpoint", "ams3.digitaloceanspaces.com", "provider", "DigitalOcean")},
		{GenericS3, "s3:s3.gra.io.cloud.ovh.net/b", s3Keys(), s3("endpoint", "s3.gra.io.cloud.ovh.net", "provider", "Other", "region", "gra", "location_constraint", "gra")},
		{GenericS3, "s3:s3.gra.io.cloud.ovh.net/b", s3Keys("aws_default_region", "de"), s3("endpoint", "s3.gra.io.cloud.ovh.net", "provider", "Other", "region", "de", "location_constraint", "de")},
		{GenericS3, "s3:s3.eu-central-1.wasabisys.com/b", s3Keys(), s3("endpoint", "s3.eu-central-1.wasabisys.com", "provider", "Wasabi", "region", "eu-central-1")},
		{GenericS3, "s3:s3.wasabisys.com/b", s3Keys(), s3("endpoint", "s3.wasabisys.com", "provider", "Wasabi", "region", "us-east-1")},
		{GenericS3, "s3:s3.wasabisys.com/b", s3Keys("aws_default_region", "eu-west-2"), s3("endpoint", "s3.wasabisys.com", "provider", "Wasabi", "region", "eu-west-2")},
		{GenericS3, "s3:eu-001.s3.synologyc2.net/b", s3Keys(), s3("endpoint", "eu-001.s3.synologyc2.net", "provider", "Synology", "region", "eu-001", "no_check_bucket", "true")},
		{GenericS3, "s3:fsn1.your-objectstorage.com/b", s3Keys(), s3("endpoint", "fsn1.your-objectstorage.com", "provider", "Other", "region", "fsn1")},
		{GenericS3, "s3:x.fra.idrivee2-1.com/b", s3Keys(), s3("endpoint", "x.fra.idrivee2-1.com", "provider", "IDrive", "no_check_bucket", "true")},
		{GenericS3, "s3:s3.cubbit.eu/b", s3Keys("aws_default_region", "x"), s3("endpoint", "s3.cubbit.eu", "provider", "Other", "region", "eu-west-1")},
		{GenericS3, "s3:s3.scalablestorage.it/b", s3Keys(), s3("endpoint", "s3.scalablestorage.it", "provider", "Other", "no_check_bucket", "true")},
		{GenericS3, "s3:minio.example.org:9000/b", s3Keys(), s3("endpoint", "minio.example.org:9000", "provider", "Other")},
		{GenericS3, "s3:http://127.0.0.1:9000/b/f", s3Keys(), s3("endpoint", "http://127.0.0.1:9000", "provider", "Other")},
	} {
		p, _ := ProviderOf(tt.provider)
		if problems := append(p.CheckURL(tt.url), p.CheckParameters(tt.params, false)...); len(problems) > 0 {
			t.Errorf("%s: %v", tt.url, problems)
		}
		got, err := p.NewStorage(tt.url, tt.params, nil)
		if err != nil || !maps.Equal(got.Section, tt.want) || got.URL != tt.url {
			t.Errorf("%s %s: %v, %v; want %v", tt.provider, tt.url, got, err, tt.want)
		}
		if want := tt.provider == SMB; slices.Contains(got.Plain, "pass") != want {
			t.Errorf("%s: to be obscured: %v", tt.provider, got.Plain)
		}
	}
}

// TestABucketBeforeTheHostNameIsRefused names the form that is right: the region, which
// is a part of the host name, would be the bucket's name.
func TestABucketBeforeTheHostNameIsRefused(t *testing.T) {
	t.Parallel()
	p, _ := ProviderOf(GenericS3)
	for url, right := range map[string]string{
		"s3:mine.fsn1.your-objectstorage.com/servers":      "s3:fsn1.your-objectstorage.com/mine/servers",
		"s3:https://mine.fsn1.your-objectstorage.com/x":    "s3:https://fsn1.your-objectstorage.com/mine/x",
		"s3:mine.s3.wasabisys.com/servers":                 "s3:s3.wasabisys.com/mine/servers",
		"s3:mine.s3.eu-central-1.wasabisys.com/a/b":        "s3:s3.eu-central-1.wasabisys.com/mine/a/b",
		"s3:my.dotted.ams3.digitaloceanspaces.com/servers": "s3:ams3.digitaloceanspaces.com/my.dotted/servers",
		"s3:mine.s3.gra.io.cloud.ovh.net/servers":          "s3:s3.gra.io.cloud.ovh.net/mine/servers",
		"s3:mine.eu-001.s3.synologyc2.net/servers":         "s3:eu-001.s3.synologyc2.net/mine/servers",
		"s3:mine.s3.cubbit.eu/servers":                     "s3:s3.cubbit.eu/mine/servers",
		"s3:mine.s3.amazonaws.com/servers":                 "s3:s3.amazonaws.com/mine/servers",
		"s3:mine.s3.eu-south-1.amazonaws.com/servers":      "s3:s3.eu-south-1.amazonaws.com/mine/servers",
		"s3:mine.s3.dualstack.eu-west-1.amazonaws.com/a":   "s3:s3.dualstack.eu-west-1.amazonaws.com/mine/a",
	} {
		problems := p.CheckURL(url)
		if len(problems) != 1 || problems[0].Kind != Malformed || problems[0].Right != right {
			t.Errorf("%s: %+v; want %s", url, problems, right)
			continue
		}
		if told := p.Explain(problems); !strings.Contains(told, right) {
			t.Errorf("%s: %s", url, told)
		}
	}
	for _, url := range []string{
		"s3:s3.amazonaws.com/b", "s3:s3.eu-south-1.amazonaws.com/b", "s3:s3-eu-west-1.amazonaws.com/b", "s3:s3.cn-north-1.amazonaws.com.cn/b",
		"s3:bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com/b", "s3:s3.dualstack.us-west-2.amazonaws.com/b",
		"s3:s3.gra.io.cloud.ovh.net/b", "s3:s3.gra.cloud.ovh.net/b", "s3:storage.gra.cloud.ovh.net/b", "s3:s3.gra.perf.cloud.ovh.net/b",
		"s3:fsn1.your-objectstorage.com/b", "s3:l4g4.va.idrivee2-2.com/b", "s3:s3.scalablestorage.it/b", "s3:minio.example.org:9000/b",
	} {
		if problems := p.CheckURL(url); len(problems) > 0 {
			t.Errorf("%s: %+v", url, problems)
		}
	}
}

func TestPastedSections(t *testing.T) {
	t.Parallel()
	p, _ := ProviderOf(Rclone)
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, tt := range []struct {
		name   string
		params Parameters
		url    string
	}{
		{"without a header", params("rclone_conf_secret", "type = s3\nendpoint = s3.example.org\n", "basepath", "/b/f/"), "rclone:s3:s3.example.org:b/f"},
		{"with one", params("rclone_conf_secret", "[any]\ntype = sftp\nhost = h.example.org\nport = 22\n"), "rclone:sftp:h.example.org:"},
		{"with an endpoint that is a URL", params("rclone_conf_secret", "type = s3\nendpoint = https://e.example.org:9000/x\n"), "rclone:s3:e.example.org:"},
		{"in Base64, with a comment", Parameters{"rclone_conf_secret": nil, "rclone_conf_b64_secret": new(b64("# mine\n[a]\ntype = ftp\nhost = f\n"))}, "rclone:ftp:f:"},
		{"without a host", params("rclone_conf_secret", "type = drive\n"), "rclone:drive:af4e9:"},
	} {
		if problems := p.CheckParameters(tt.params, false); len(problems) > 0 {
			t.Errorf("%s: %v", tt.name, problems)
		}
		s, err := p.NewStorage("", tt.params, nil)
		if err != nil || s.URL != tt.url && !strings.HasPrefix(s.URL, "rclone:drive:") {
			t.Errorf("%s: %v, %v; want %s", tt.name, s, err, tt.url)
		}
	}
	for name, conf := range map[string]string{
		"two sections": "[a]\ntype = local\n[b]\ntype = local\n",
		"no type":      "host = h\n",
		"nothing":      "",
		"no lines":     "[a]\nwhatever\n",
	} {
		if s, err := p.NewStorage("", Parameters{"rclone_conf_secret": nil, "rclone_conf_b64_secret": new(b64(conf))}, nil); err == nil {
			t.Errorf("%s: %v", name, s)
		}
	}
	if s, err := p.NewStorage("", Parameters{"rclone_conf_secret": nil, "rclone_conf_b64_secret": new("***")}, nil); err == nil {
		t.Errorf("no Base64: %v", s)
	}
}

func TestSecretsSurviveTheSection(t *testing.T) {
	t.Parallel()
	p, _ := ProviderOf(Backblaze)
	for _, secret := range []string{
		`100%`, `%(type)s`, `"quoted"`, `'single'`, "`ticks`", `"""three"""`, "a=b=c", "# no comment", "; nor this", " spaces ",
		"pässwörd 日本", `back\slash`, strings.Repeat("0123456789abcdef", 256), "[section]", "",
	} {
		s, err := p.NewStorage("b2:b", params("b2_account_id", "A", "b2_account_key", secret), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := rcloneconf.Format("x", s.Section)
		if err != nil {
			t.Fatal(err)
		}
		_, back, err := rcloneconf.Parse(text)
		if err != nil || back["key"] != secret {
			t.Errorf("%q came back as %q, %v", secret, back["key"], err)
		}
	}
}

func TestAlteringKeepsWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	p, _ := ProviderOf(SMB)
	old := map[string]string{"type": "smb", "host": "H", "user": "U", "pass": "obscured", "domain": "D"}
	s, err := p.NewStorage("smb:s", params("smb_user", "V", "smb_pass", "", "smb_domain", ""), old)
	want := map[string]string{"type": "smb", "host": "H", "user": "V", "pass": "obscured", "domain": ""}
	if err != nil || !maps.Equal(s.Section, want) || len(s.Plain) > 0 {
		t.Errorf("%v, %v; want %v", s, err, want)
	}
	r, _ := ProviderOf(Rclone)
	pastedOld := map[string]string{"type": "sftp", "host": "h", "pass": "obscured"}
	for _, given := range []Parameters{{}, params("rclone_conf_secret", "", "basepath", "new")} {
		if s, err := r.NewStorage("", given, pastedOld); err != nil || !maps.Equal(s.Section, pastedOld) {
			t.Errorf("%v, %v", s, err)
		}
	}
}

func TestProblemsOfParameters(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxConf+1)
	for _, tt := range []struct {
		provider string
		params   Parameters
		want     []Problem
	}{
		{Backblaze, params("b2_account_id", "A"), []Problem{{Field: "parameters.b2_account_key", Kind: Required}}},
		{Backblaze, params("b2_account_id", "A\nkey = x", "b2_account_key", "K"), []Problem{{Field: "parameters.b2_account_id", Kind: Malformed}}},
		{Backblaze, Parameters{"b2_account_id": nil, "b2_account_key": new("K")}, []Problem{{Field: "parameters.b2_account_id", Kind: WrongType}}},
		{SMB, params("smb_host", "", "smb_user", "U", "smb_pass", "", "smb_domain", ""), []Problem{{Field: "parameters.smb_host", Kind: TooShort}}},
		{Cluster, params("surplus", "x"), []Problem{{Field: "parameters.surplus", Kind: Unexpected}}},
		{Rclone, params("rclone_conf_secret", "# comment\ntype = local\n"), []Problem{{Field: "parameters.rclone_conf_secret", Kind: Malformed}}},
		{Rclone, params("rclone_conf_secret", long), []Problem{{Field: "parameters.rclone_conf_secret", Kind: TooLong}}},
		{Rclone, params("rclone_conf_secret", "", "basepath", strings.Repeat("x", 513)), []Problem{{Field: "parameters.basepath", Kind: TooLong}}},
	} {
		p, _ := ProviderOf(tt.provider)
		if got := p.CheckParameters(tt.params, false); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v; want %v", tt.provider, got, tt.want)
		}
	}
	for provider, urls := range map[string][]string{
		Backblaze: {"s3:x/y"}, AWS: {"s3:nobucket"}, SMB: {"smb:"}, Cluster: {"http://10.5.4.1"}, Azure: {"azure"},
		GenericS3: {"s3:/bucket", "s3:http://endpoint.example.org", "s3:https://endpoint.example.org/", "s3:https:/endpoint/bucket"},
	} {
		p, _ := ProviderOf(provider)
		for _, url := range urls {
			if len(p.CheckURL(url)) == 0 {
				t.Errorf("%s took %s", provider, url)
			}
		}
	}
}

func TestPublicParametersHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ section, want map[string]string }{
		{map[string]string{"type": "b2", "account": "A", "key": "S"}, map[string]string{"b2_account_id": "A", "b2_account_key": ""}},
		{map[string]string{"type": "s3", "access_key_id": "A", "secret_access_key": "S"}, map[string]string{"aws_access_key_id": "A", "aws_secret_access_key": ""}},
		{map[string]string{"type": "s3", "access_key_id": "A", "region": "r"}, map[string]string{"aws_access_key_id": "A", "aws_secret_access_key": "", "aws_default_region": "r"}},
		{map[string]string{"type": "azureblob", "account": "A", "key": "S"}, map[string]string{"azure_account_name": "A", "azure_account_key": ""}},
		{map[string]string{"type": "smb", "host": "h", "user": "u", "pass": "S", "domain": "d"}, map[string]string{"smb_host": "h", "smb_user": "u", "smb_pass": "", "smb_domain": "d"}},
		{map[string]string{"type": "sftp", "pass": "S"}, map[string]string{"type": "sftp"}},
		{map[string]string{"type": "local"}, map[string]string{"type": "local"}},
	} {
		if got := PublicParameters(tt.section); !maps.Equal(got, tt.want) {
			t.Errorf("%v: %v; want %v", tt.section, got, tt.want)
		}
	}
}

func TestDefaultNames(t *testing.T) {
	t.Parallel()
	const id = "b6f0639c-4276-5b7b-8752-eda8eda282db"
	for _, tt := range [][3]string{
		{AWS, "s3:s3.amazonaws.com/b/f", "AWS b/f"}, {Backblaze, "b2:b/f", "Backblaze b/f"}, {SMB, "smb:s", "smb b6f0"}, {Rclone, "", "rclone b6f0"},
	} {
		if got := DefaultName(tt[0], tt[1], id); got != tt[2] {
			t.Errorf("%q; want %q", got, tt[2])
		}
	}
}

func TestCutSection(t *testing.T) {
	t.Parallel()
	const conf = "# all\n[a]\ntype = s3\n\n[b c]\ntype = sftp\nhost = [x\n[d]\ntype = ftp"
	for name, want := range map[string]string{"a": "\n[a]\ntype = s3\n\n", "b c": "\n\n\n\n[b c]\ntype = sftp\nhost = [x\n", "d": strings.Repeat("\n", 7) + "[d]\ntype = ftp"} {
		if got, found := CutSection(conf, name); got != want || !found {
			t.Errorf("%s: %q, %t", name, got, found)
		}
	}
	if _, found := CutSection(conf, "e"); found {
		t.Error("found what is not there")
	}
}

func TestWhatIsNoSectionIsNamed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"an encrypted file":               {"# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nSECRET==\n", "encrypted"},
		"JSON":                            {`{"nas": {"pass": "SECRET"}}`, "JSON"},
		"variables of the environment":    {"RCLONE_CONFIG_NAS_PASS=SECRET\n", "environment"},
		"a line of a section":             {"type = sftp\nSECRET\n", "line 2: no"},
		"a line below a header":           {"[nas]\nSECRET\n", "line 2: no"},
		"a key of several lines":          {"type = sftp\nkey_pem = -----BEGIN\nSECRET\n", `line 3: no "=" between a key and a value (a value of several lines`},
		"a line behind a byte order mark": {"\ufeff\n[nas]\nSECRET\n", "line 3: no"},
	} {
		if _, err := ParseConf(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
	}
	cut, _ := CutSection("[a]\ntype = s3\n[b]\ntype = ftp\nSECRET\n", "b")
	if _, err := ParseConf(cut); err == nil || !strings.Contains(err.Error(), "line 5") {
		t.Errorf("in a section of several: %v", err)
	}
}

func TestSectionsOfWindows(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"line ends":          "[nas]\r\ntype = sftp\r\nhost = h\r\n",
		"a byte order mark":  "\ufeff[nas]\r\ntype = sftp\r\nhost = h",
		"one, and no header": "\ufefftype = sftp\r\nhost = h\r\n",
	} {
		section, err := ParseConf(text)
		if want := map[string]string{"type": "sftp", "host": "h"}; err != nil || !maps.Equal(section, want) {
			t.Errorf("%s: %q, %v", name, section, err)
		}
		if _, found := CutSection(text, "nas"); found != strings.Contains(text, "[") {
			t.Errorf("%s: its section found: %t", name, found)
		}
	}
}

func TestProblemsAreToldToPeople(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		provider, url string
		params        Parameters
		want          string
	}{
		{Azure, "container", nil, "--url must have the form azure:CONTAINER/FOLDER; the storage account is needed: --set azure_account_name=VALUE; the account key is needed: --secret-file azure_account_key=FILE"},
		{Rclone, "", nil, "the section of rclone.conf is needed: --conf FILE"},
		{Cluster, "webdav:http://10.5.4.1:4694", params("a", "b"), "cluster takes no parameters, thus no a"},
		{SMB, "smb:s", params("smb_host", "", "smb_user", "a\tb", "smb_pass", "", "smb_domain", "", "smb_pas", ""),
			"smb_host must not be empty; smb_user must be one line without tabs; smb takes no smb_pas, but smb_host, smb_user, smb_pass, smb_domain: did you mean smb_pass?"},
		{Rclone, "", params("rclone_conf_secret", "type = ftp", "basepath", strings.Repeat("x", 513)), "basepath is too long"},
	} {
		p, _ := ProviderOf(tt.provider)
		if got := p.Explain(append(p.CheckURL(tt.url), p.CheckParameters(tt.params, false)...)); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.provider, got, tt.want)
		}
	}
}
