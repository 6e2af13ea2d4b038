package destinations

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// archive holds destinations, in the form of NethServer 8's cluster backup.
type archive struct {
	Version json.Number    `json:"version"`
	Cluster archiveCluster `json:"cluster"`
}

type archiveCluster struct {
	UUID         string                         `json:"uuid"`
	Destinations map[string]archivedDestination `json:"backup_repository"`
}

// archivedDestination is one of them. Without its secrets, those are empty. The
// last fields are those of archives before version 4.
type archivedDestination struct {
	Name       string `json:"name"`
	Provider   string `json:"provider"`
	URL        string `json:"url"`
	BasePath   string `json:"basepath"`
	RcloneConf string `json:"rclone_conf"`
	Password   string `json:"restic_password"`
	// Limits, by field of their hash, are an addition to NethServer 8's form.
	Limits map[string]int64 `json:"limits,omitempty"`

	OldPassword string            `json:"-"`
	OldParams   map[string]string `json:"-"`
}

// archiveVersion is that of NethServer 8's cluster backup.
const archiveVersion = 4

// maxArchive bounds an archive that was decompressed, in bytes.
const maxArchive = 256 << 20

var (
	errPassphrase = errors.New("the passphrase does not open the archive")
	errNoArchive  = errors.New("this is no archive of destinations")
)

// parseDestinations reads an archive as it comes: encrypted to a passphrase, or
// compressed, or plain.
func parseDestinations(data []byte, passphrase string) (*archive, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // of an editor
	if isEncrypted(data) {
		var err error
		if data, err = decrypt(data, passphrase); err != nil {
			return nil, err
		}
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		var err error
		if data, err = gunzip(data); err != nil {
			return nil, err
		}
	}
	var a archive
	if err := json.Unmarshal(data, &a); err != nil || a.Cluster.Destinations == nil {
		return nil, errNoArchive
	}
	return &a, nil
}

// isEncrypted reports whether the data begins with an OpenPGP packet.
func isEncrypted(data []byte) bool { return len(data) > 0 && data[0]&0x80 != 0 }

// decrypt opens a message that gpg --symmetric made. What was changed on the way
// is refused.
func decrypt(data []byte, passphrase string) ([]byte, error) {
	tried := false
	message, err := openpgp.ReadMessage(bytes.NewReader(data), nil, func([]openpgp.Key, bool) ([]byte, error) {
		if tried {
			return nil, errPassphrase
		}
		tried = true
		return []byte(passphrase), nil
	}, nil)
	if err != nil {
		return nil, errPassphrase
	}
	plain, err := io.ReadAll(io.LimitReader(message.UnverifiedBody, maxArchive))
	if err != nil {
		return nil, fmt.Errorf("%w, or the archive is damaged", errPassphrase)
	}
	return plain, nil
}

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, errNoArchive
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxArchive))
	if err != nil {
		return nil, fmt.Errorf("%w: it is damaged", errNoArchive)
	}
	return plain, nil
}

// UnmarshalJSON reads a destination of any version.
func (a *archivedDestination) UnmarshalJSON(data []byte) error {
	type plain archivedDestination
	if err := json.Unmarshal(data, (*plain)(a)); err != nil {
		return err
	}
	a.OldParams = map[string]string{}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for name, value := range fields {
		if text, ok := value.(string); ok {
			a.OldParams[name] = text
		}
	}
	a.OldPassword = a.OldParams["password"]
	return nil
}

// old reports whether the archive was made before version 4, with parameters instead
// of sections.
func (a *archive) old() bool {
	version, err := a.Version.Int64()
	return err != nil || version < archiveVersion
}

// storageOf makes of an archived destination of an old version what Redis is to
// hold.
func (a archivedDestination) storageOf() (destination.Storage, error) {
	p, ok := destination.ProviderOf(a.Provider)
	if !ok {
		return destination.Storage{}, fmt.Errorf("provider %q is unknown", a.Provider)
	}
	params := destination.Parameters{}
	for _, param := range p.Parameters {
		if value, found := a.OldParams[param.Name]; found {
			params[param.Name] = &value
		}
	}
	if problems := append(p.CheckURL(a.URL), p.CheckParameters(params, false)...); len(problems) > 0 {
		return destination.Storage{}, &fault{problems: problems}
	}
	return p.NewStorage(a.URL, params, nil)
}

// check tells what keeps an archived destination of the present version from being
// saved, and returns its section under the ID.
func (a archivedDestination) check(id string) (conf string, err error) {
	if !account.ValidUUID(id) {
		return "", errors.New("its ID is no UUID")
	}
	if a.Password == "" || a.RcloneConf == "" {
		return "", errors.New("it was exported without its secrets")
	}
	_, section, err := catalog.ParseSection(a.RcloneConf)
	if err != nil {
		return "", fmt.Errorf("its rclone section: %w", err)
	}
	return catalog.FormatSection(id, section)
}
