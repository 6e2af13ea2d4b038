package destination

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
)

// Storage is the place of a destination, as Redis stores it.
type Storage struct {
	URL      string
	BasePath string // only of provider rclone
	// Section is the rclone section. The values that Plain names still need obscuring.
	Section map[string]string
	Plain   []string
}

// NewStorage converts a checked URL and checked parameters to the values for Redis. old is
// the destination's present section, nil for a new destination; missing parameters and
// empty secrets are taken from it. An error is a [ConfError]; it quotes no value.
func (p Provider) NewStorage(url string, params Parameters, old map[string]string) (Storage, error) {
	switch p.Name {
	case Cluster:
		return Storage{URL: url, Section: map[string]string{"type": p.Type}}, nil
	case Rclone:
		return pasted(params, old)
	}
	s := Storage{URL: url, Section: map[string]string{"type": p.Type}}
	for _, param := range p.Parameters {
		value, given := params[param.Name]
		switch {
		case given && value != nil && (*value != "" || !param.Secret || old == nil):
			s.Section[param.Key] = *value
			if param.Key == "pass" {
				s.Plain = append(s.Plain, param.Key)
			}
		case old != nil:
			if value, found := old[param.Key]; found {
				s.Section[param.Key] = value
			}
		}
	}
	if p.Type == "s3" {
		s3(p.Name, url, s.Section)
	}
	return s, nil
}

// vendor is a row of the table of S3 vendors, selected by a part of the endpoint.
type vendor struct {
	part     string
	provider string // in rclone's terms
	region   func(endpoint string) string
	more     map[string]string
}

// label returns a part of a host name between dots, counted from 0.
func label(n int) func(string) string {
	return func(endpoint string) string {
		labels := strings.Split(endpoint, ".")
		if n >= len(labels) {
			return ""
		}
		return labels[n]
	}
}

// ofWasabi returns the region in s3.REGION.wasabisys.com. Wasabi's first region has no name
// in its host.
func ofWasabi(endpoint string) string {
	if strings.HasPrefix(endpoint, "s3.wasabisys.com") {
		return "us-east-1"
	}
	return label(1)(endpoint)
}

func always(region string) func(string) string { return func(string) string { return region } }

var noCheckBucket = map[string]string{"no_check_bucket": "true"}

// vendors of generic-s3. A nil region leaves the region out of the section.
var vendors = []vendor{
	{part: "digitalocean", provider: "DigitalOcean"},
	{part: "ovh.net", provider: "Other", region: label(1)},
	{part: "wasabi", provider: "Wasabi", region: ofWasabi},
	{part: "synology", provider: "Synology", region: label(0), more: noCheckBucket},
	{part: "your-objectstorage.com", provider: "Other", region: label(0)},
	{part: "idrivee2", provider: "IDrive", more: noCheckBucket},
	{part: "cubbit.eu", provider: "Other", region: always("eu-west-1")},
	{part: "scalablestorage.it", provider: "Other", more: noCheckBucket},
	{part: "", provider: "Other"},
}

// s3 completes a section of S3 with what the endpoint implies. It already holds a region
// given as a parameter.
func s3(provider, url string, section map[string]string) {
	given := section["region"]
	delete(section, "region")
	section["env_auth"] = "true"
	endpoint := endpointOf(url)
	section["endpoint"] = endpoint
	if provider == AWS {
		section["provider"], section["region"] = "AWS", given
		return
	}
	for _, v := range vendors {
		if !strings.Contains(endpoint, v.part) {
			continue
		}
		section["provider"] = v.provider
		maps.Copy(section, v.more)
		if v.region != nil {
			section["region"] = v.region(hostOf(endpoint))
			if v.part != "cubbit.eu" {
				section["region"] = cmp.Or(given, section["region"])
			}
		}
		if v.part == "ovh.net" {
			section["location_constraint"] = section["region"]
		}
		return
	}
}

// endpointOf returns the endpoint in s3:endpoint/bucket. The endpoint may begin with a
// scheme.
func endpointOf(url string) string {
	rest := strings.TrimPrefix(url, "s3:")
	scheme, host, ok := strings.Cut(rest, "://")
	if !ok {
		endpoint, _, _ := strings.Cut(rest, "/")
		return endpoint
	}
	host, _, _ = strings.Cut(host, "/")
	return scheme + "://" + host
}

// hostOf returns the host of an endpoint or a URL.
func hostOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	address, _, _ = strings.Cut(address, "/")
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// pasted accepts a section unchanged.
func pasted(params Parameters, old map[string]string) (Storage, error) {
	s := Storage{BasePath: params.text(ParamBasePath)}
	text, given := params[ParamConf]
	if old != nil && (!given || text != nil && *text == "") {
		s.Section = maps.Clone(old)
	} else {
		text, err := params.conf()
		if err != nil {
			return s, err
		}
		if s.Section, err = ParseConf(text); err != nil {
			return s, err
		}
	}
	if s.Section["type"] == "" {
		return s, errors.New("the section has no type")
	}
	host := hostOf(cmp.Or(s.Section["host"], s.Section["endpoint"]))
	if host == "" {
		id, err := stableUUID(s.Section)
		if err != nil {
			return s, err
		}
		host = id[:5]
	}
	s.URL = fmt.Sprintf("rclone:%s:%s:%s", s.Section["type"], host, strings.Trim(s.BasePath, "/"))
	return s, nil
}

// ParseConf reads one section of rclone.conf, whose header may be missing.
func ParseConf(text string) (map[string]string, error) {
	if err := noSection(text); err != nil {
		return nil, err
	}
	section, err := parseConf(text)
	if err == nil && len(section) == 0 {
		err = errors.New("the section is empty")
	}
	return section, err
}

// PlainConf formats a section as "key = value" lines, the form that NethServer 8's action
// accepts.
func PlainConf(text string) (string, error) {
	section, err := ParseConf(text)
	if err != nil {
		return "", err
	}
	plain, err := rcloneconf.Format("x", section)
	return strings.TrimPrefix(plain, "[x]\n"), err
}

func parseConf(text string) (map[string]string, error) {
	if len(Sections(text)) == 0 {
		return rcloneconf.ParseSettings(text)
	}
	_, section, err := rcloneconf.Parse(text)
	return section, err
}

// noSection explains what a text is that was given in place of a section.
func noSection(text string) error {
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#' || line[0] == ';':
		case strings.HasPrefix(line, "RCLONE_ENCRYPT_V"):
			return errors.New(`it is encrypted: "rclone config show NAME" prints a section as it is wanted here`)
		case line[0] == '{':
			return errors.New(`it is JSON: "rclone config show NAME" prints a section as it is wanted here`)
		case strings.HasPrefix(line, "RCLONE_CONFIG_"):
			return errors.New(`it is for the environment: write RCLONE_CONFIG_NAS_TYPE=sftp as type = sftp`)
		default:
			return nil
		}
	}
	return nil
}

// Sections returns the names of the sections of an rclone.conf.
func Sections(text string) []string {
	var names []string
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		if name, ok := header(line); ok {
			names = append(names, name)
		}
	}
	return names
}

// header returns the name in a line such as [name].
func header(line string) (name string, ok bool) {
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '[' || line[len(line)-1] != ']' {
		return "", false
	}
	return strings.TrimSpace(line[1 : len(line)-1]), true
}

// CutSection cuts the named section out of a whole rclone.conf. It keeps the preceding
// lines as empty ones, so that errors have the file's line numbers.
func CutSection(text, name string) (section string, found bool) {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		if title, ok := header(line); ok {
			if found {
				break
			}
			found = title == name
		}
		if !found {
			line = "\n"
		}
		b.WriteString(line)
	}
	return b.String(), found
}
