package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
)

// DefaultClusterStore is a node's default directory for destinations of provider cluster.
const DefaultClusterStore = "/srv/repo"

// Providers with special treatment; others are recognized by the scheme of their URL.
const (
	ProviderCluster = "cluster"
	providerRclone  = "rclone"
)

const typeLocal = "local"

// site is what the place of a destination depends on besides its own record.
type site struct {
	nodeID       string
	clusterStore string
	nodes        map[string]*Node
}

// place derives the fields Type, Section and Base, or PeerNode, of d from its provider, its
// URL and its section. basePath is the record's field of that name, values its rclone
// section, nil if it has none.
func (s site) place(d *Destination, basePath string, values map[string]string) error {
	if d.Provider == ProviderCluster {
		return s.placeCluster(d)
	}
	if values == nil {
		return errNoSection
	}
	d.Section, d.Type = values, values[rcloneconf.KeyType]
	if d.Type == "" {
		return errors.New("its rclone section has no type")
	}
	base, err := basePathOf(d, basePath)
	if err != nil {
		return err
	}
	d.Base = base
	if d.Type != typeLocal {
		return nil
	}
	if !path.IsAbs(base) {
		return errors.New("the base path of a local destination must begin with /")
	}
	d.Base = path.Clean(base)
	return nil
}

var errNoSection = errors.New("the destination has no rclone section in " + RcloneConf)

// basePathOf returns the path in a destination's URL, after the server or the endpoint.
func basePathOf(d *Destination, basePath string) (string, error) {
	if d.Provider == providerRclone {
		// A leading slash can matter here: sftp distinguishes / from the home directory.
		if base := strings.TrimRight(basePath, "/"); base != "" || basePath == "" {
			return base, nil
		}
		return "/", nil
	}
	scheme, rest, ok := strings.Cut(d.URL, ":")
	if !ok || scheme == "" {
		return "", errors.New("its url has no scheme before a colon")
	}
	switch scheme {
	case "s3":
		// The endpoint, which may be a URL itself, ends at the first slash.
		if _, host, ok := strings.Cut(rest, "://"); ok {
			rest = host
		}
		if _, rest, ok = strings.Cut(rest, "/"); !ok {
			return "", errors.New("its s3 url has no / between endpoint and bucket")
		}
	case "webdav":
		u, err := url.Parse(rest)
		if err != nil || u.Host == "" {
			return "", errors.New("its webdav url cannot be read") // the cause would quote a password
		}
		rest = u.Path
	}
	if d.Type == typeLocal {
		return rest, nil
	}
	return strings.Trim(rest, "/"), nil
}

// placeCluster finds the node of the destination: the one whose VPN address is in the URL,
// webdav:http://10.5.4.2:4694.
func (s site) placeCluster(d *Destination) error {
	u, err := url.Parse(strings.TrimPrefix(d.URL, "webdav:"))
	if err != nil {
		return errors.New("its url cannot be read")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return errors.New("its url names no IP address")
	}
	owner := ""
	for id, node := range s.nodes {
		if node.IPAddress == ip && (owner == "" || id == s.nodeID) {
			owner = id
		}
	}
	switch owner {
	case "":
		return fmt.Errorf("no node has the address %s", ip)
	case s.nodeID:
		d.Type = typeLocal
		d.Section = map[string]string{rcloneconf.KeyType: typeLocal}
		d.Base = path.Join(cmp.Or(s.clusterStore, DefaultClusterStore), path.Clean("/"+u.Path))
	default:
		d.PeerNode = owner
	}
	return nil
}

// Record is a destination as Redis stores it: the hash DestinationKey and its field in
// RcloneConf. Section holds secrets.
type Record struct {
	Provider, URL, BasePath, Section string
}

// Candidate returns the destination that Load would return for a record in Redis, given the
// rest of s. Errors quote no secret.
func (s *Snapshot) Candidate(id string, r Record, opts LoadOptions) (*Destination, error) {
	if !validUUID(id) {
		return nil, errors.New("the destination's ID is no UUID in lower case")
	}
	d := &Destination{ID: id, URL: r.URL, Provider: r.Provider}
	values, err := sectionOf(d, r.Section)
	if err != nil {
		return nil, err
	}
	where := site{nodeID: opts.NodeID, clusterStore: opts.ClusterStore, nodes: s.Nodes}
	if err := where.place(d, r.BasePath, values); err != nil {
		return nil, err
	}
	return d, nil
}
