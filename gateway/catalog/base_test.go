package catalog

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
)

const destID = "b6f0639c-4276-5b7b-8752-eda8eda282db"

func TestDestinationIsPlacedByItsProviderAndURL(t *testing.T) {
	where := site{nodeID: "1", clusterStore: "/srv/repo", nodes: map[string]*Node{
		"1": {ID: "1", IPAddress: netip.MustParseAddr("10.5.4.1")},
		"2": {ID: "2", IPAddress: netip.MustParseAddr("10.5.4.2")},
	}}
	for _, tt := range []struct {
		name                         string
		provider, url, basePath, typ string // typ: of the section; empty: none
		wantType, wantBase, wantPeer string
		wantErr                      string
	}{
		{name: "Backblaze", provider: "backblaze", url: "b2:bucket/folder", typ: "b2", wantType: "b2", wantBase: "bucket/folder"},
		{name: "Backblaze without folder", provider: "backblaze", url: "b2:bucket", typ: "b2", wantType: "b2", wantBase: "bucket"},
		{name: "Amazon", provider: "aws", url: "s3:s3.amazonaws.com/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "DigitalOcean", provider: "digitalocean", url: "s3:ams3.digitaloceanspaces.com/bucket/a/b", typ: "s3", wantType: "s3", wantBase: "bucket/a/b"},
		{name: "OVH", provider: "generic-s3", url: "s3:s3.gra.io.cloud.ovh.net/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "Wasabi", provider: "wasabi", url: "s3:s3.eu-central-1.wasabisys.com/bucket/", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "Synology", provider: "generic-s3", url: "s3:eu-001.s3.synologyc2.net/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "Hetzner", provider: "generic-s3", url: "s3:fsn1.your-objectstorage.com/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "IDrive e2", provider: "generic-s3", url: "s3:q1w2.fra.idrivee2-12.com/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "Cubbit", provider: "generic-s3", url: "s3:s3.cubbit.eu/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "scalablestorage", provider: "generic-s3", url: "s3:s3.scalablestorage.it/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "any S3 with a port", provider: "generic-s3", url: "s3:127.0.0.1:9000/bucket", typ: "s3", wantType: "s3", wantBase: "bucket"},
		{name: "any S3 with a URL for endpoint", provider: "generic-s3", url: "s3:http://127.0.0.1:9000/bucket/a", typ: "s3", wantType: "s3", wantBase: "bucket/a"},
		{name: "S3 without bucket", provider: "generic-s3", url: "s3:host", typ: "s3", wantErr: "no / between endpoint and bucket"},
		{name: "Azure", provider: "azure", url: "azure:container/folder", typ: "azureblob", wantType: "azureblob", wantBase: "container/folder"},
		{name: "SMB", provider: "smb", url: "smb:myshare/subpath", typ: "smb", wantType: "smb", wantBase: "myshare/subpath"},
		{name: "SMB with a space and an umlaut", provider: "smb", url: "smb:my share/ü", typ: "smb", wantType: "smb", wantBase: "my share/ü"},
		{name: "WebDAV", provider: "webdav", url: "webdav:https://cloud.example.org/remote.php/dav/", typ: "webdav", wantType: "webdav", wantBase: "remote.php/dav"},
		{name: "WebDAV at the root", provider: "webdav", url: "webdav:https://cloud.example.org", typ: "webdav", wantType: "webdav", wantBase: ""},
		{name: "WebDAV without host", provider: "webdav", url: "webdav:SECRET", typ: "webdav", wantErr: "cannot be read"},
		{name: "cluster on its node", provider: "cluster", url: "webdav:http://10.5.4.1:4694", wantType: "local", wantBase: "/srv/repo"},
		{name: "cluster on its node, with a section", provider: "cluster", url: "webdav:http://10.5.4.1:4694", typ: "webdav", wantType: "local", wantBase: "/srv/repo"},
		{name: "cluster on its node, with a path that stays inside", provider: "cluster", url: "webdav:http://10.5.4.1:4694/../a", wantType: "local", wantBase: "/srv/repo/a"},
		{name: "cluster on another node", provider: "cluster", url: "webdav:http://10.5.4.2:4694", wantPeer: "2"},
		{name: "cluster on a node that is gone", provider: "cluster", url: "webdav:http://10.5.4.3:4694", wantErr: "no node has the address 10.5.4.3"},
		{name: "cluster at a name", provider: "cluster", url: "webdav:http://node1:4694", wantErr: "no IP address"},
		{name: "cluster at a URL that cannot be read", provider: "cluster", url: "webdav:http://[::SECRET", wantErr: "cannot be read"},
		{name: "a local directory", provider: "local", url: "local:/mnt/x/", typ: "local", wantType: "local", wantBase: "/mnt/x"},
		{name: "rclone", provider: "rclone", url: "rclone:sftp:host:base", basePath: "base/path/", typ: "sftp", wantType: "sftp", wantBase: "base/path"},
		{name: "rclone with an absolute path", provider: "rclone", url: "rclone:sftp:host:/base", basePath: "/base", typ: "sftp", wantType: "sftp", wantBase: "/base"},
		{name: "rclone at the root", provider: "rclone", url: "rclone:sftp:host:/", basePath: "/", typ: "sftp", wantType: "sftp", wantBase: "/"},
		{name: "rclone without a path", provider: "rclone", url: "rclone:sftp:host:", typ: "sftp", wantType: "sftp", wantBase: ""},
		{name: "rclone on a local directory", provider: "rclone", url: "rclone:local:abcde:/mnt", basePath: "/mnt/../mnt/x/", typ: "local", wantType: "local", wantBase: "/mnt/x"},
		{name: "rclone on a relative directory", provider: "rclone", url: "rclone:local:abcde:mnt", basePath: "mnt", typ: "local", wantErr: "must begin with /"},
		{name: "rclone on no directory", provider: "rclone", url: "rclone:local:abcde:", typ: "local", wantErr: "must begin with /"},
		{name: "no section", provider: "aws", url: "s3:s3.amazonaws.com/bucket", wantErr: "no rclone section"},
		{name: "a section without type", provider: "aws", url: "s3:s3.amazonaws.com/bucket", typ: "-", wantErr: "no type"},
		{name: "no scheme", provider: "aws", url: "SECRET", typ: "s3", wantErr: "no scheme"},
		{name: "no url", provider: "aws", url: "", typ: "s3", wantErr: "no scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var values map[string]string
			switch tt.typ {
			case "":
			case "-":
				values = map[string]string{"key": "SECRET"}
			default:
				values = map[string]string{rcloneconf.KeyType: tt.typ, "key": "SECRET"}
			}
			d := &Destination{ID: destID, Provider: tt.provider, URL: tt.url}
			err := where.place(d, tt.basePath, values)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || strings.Contains(err.Error(), "SECRET") {
					t.Fatalf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Type != tt.wantType || d.Base != tt.wantBase || d.PeerNode != tt.wantPeer {
				t.Errorf("type %q base %q peer %q, want %q %q %q", d.Type, d.Base, d.PeerNode, tt.wantType, tt.wantBase, tt.wantPeer)
			}
			if got := d.Section[rcloneconf.KeyType]; got != tt.wantType {
				t.Errorf("section of type %q", got)
			}
		})
	}
}

func TestDestinationsAreEqualToTheLastSetting(t *testing.T) {
	base := func() *Destination {
		return &Destination{ID: "a", Name: "b", Provider: "c", URL: "d", Type: "e", Base: "f", PeerNode: "g",
			Section: map[string]string{"type": "e", "key": "k"}}
	}
	if !base().Equal(base()) {
		t.Error("a copy differs")
	}
	for name, change := range map[string]func(*Destination){
		"ID":               func(d *Destination) { d.ID += "x" },
		"name":             func(d *Destination) { d.Name += "x" },
		"provider":         func(d *Destination) { d.Provider += "x" },
		"URL":              func(d *Destination) { d.URL += "x" },
		"type":             func(d *Destination) { d.Type += "x" },
		"base":             func(d *Destination) { d.Base += "x" },
		"peer":             func(d *Destination) { d.PeerNode += "x" },
		"a setting":        func(d *Destination) { d.Section["key"] += "x" },
		"one setting more": func(d *Destination) { d.Section["more"] = "" },
		"one setting less": func(d *Destination) { delete(d.Section, "key") },
	} {
		d := base()
		if change(d); d.Equal(base()) || base().Equal(d) {
			t.Errorf("another %s makes no difference", name)
		}
	}
}
