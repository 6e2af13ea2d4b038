package destination

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
)

// Archive holds destinations in the format of NethServer 8's cluster backup.
type Archive struct {
	Version json.Number    `json:"version"`
	Cluster ArchiveCluster `json:"cluster"`
}

// ArchiveCluster is the part of an Archive that holds destinations.
type ArchiveCluster struct {
	UUID         string              `json:"uuid"`
	Destinations map[string]Archived `json:"backup_repository"`
	// ModulePasswords are the repository passwords that belong to one module, by module
	// UUID: our addition to NethServer 8's format.
	ModulePasswords map[string]string `json:"module_passwords,omitempty"`
}

// Archived is one destination of an Archive. Secret values are empty in an archive without
// secrets. The last fields exist only in archives before version 4.
type Archived struct {
	Name       string `json:"name"`
	Provider   string `json:"provider"`
	URL        string `json:"url"`
	BasePath   string `json:"basepath"`
	RcloneConf string `json:"rclone_conf"`
	Password   string `json:"restic_password"`
	// Limits, by hash field, are our addition to NethServer 8's format.
	Limits map[string]int64 `json:"limits,omitempty"`

	OldPassword string            `json:"-"`
	OldParams   map[string]string `json:"-"`
}

// ArchiveVersion is the version that NethServer 8's cluster backup writes.
const ArchiveVersion = 4

// maxArchive bounds the size of a decompressed archive.
const maxArchive = 256 << 20

var (
	// ErrPassphrase is wrapped where an archive cannot be decrypted.
	ErrPassphrase = errors.New("the passphrase does not open the archive")
	errNoArchive  = errors.New("this is no archive of destinations")
)

// ParseArchive reads an archive: encrypted with a passphrase, compressed or plain.
func ParseArchive(data []byte, passphrase string) (*Archive, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors may add it
	if IsEncrypted(data) {
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
	var a Archive
	if err := json.Unmarshal(data, &a); err != nil || a.Cluster.Destinations == nil {
		return nil, errNoArchive
	}
	return &a, nil
}

// IsEncrypted reports whether the data begins with an OpenPGP packet.
func IsEncrypted(data []byte) bool { return len(data) > 0 && data[0]&0x80 != 0 }

// decrypt decrypts the output of gpg --symmetric, and refuses data that was modified.
func decrypt(data []byte, passphrase string) ([]byte, error) {
	tried := false
	message, err := openpgp.ReadMessage(bytes.NewReader(data), nil, func([]openpgp.Key, bool) ([]byte, error) {
		if tried {
			return nil, ErrPassphrase
		}
		tried = true
		return []byte(passphrase), nil
	}, nil)
	if err != nil {
		return nil, ErrPassphrase
	}
	plain, err := io.ReadAll(io.LimitReader(message.UnverifiedBody, maxArchive))
	if err != nil {
		return nil, fmt.Errorf("%w, or the archive is damaged", ErrPassphrase)
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

// UnmarshalJSON reads a destination in the format of any version.
func (a *Archived) UnmarshalJSON(data []byte) error {
	type plain Archived
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

// Old reports whether the destination comes from an archive before version 4, with
// parameters instead of a section.
func (a *Archive) Old() bool {
	version, err := a.Version.Int64()
	return err != nil || version < ArchiveVersion
}

// Storage converts a destination from an old archive to the values for Redis.
func (a Archived) Storage() (Storage, error) {
	p, ok := ProviderOf(a.Provider)
	if !ok {
		return Storage{}, fmt.Errorf("provider %q is unknown", a.Provider)
	}
	params := Parameters{}
	for _, param := range p.Parameters {
		if value, found := a.OldParams[param.Name]; found {
			params[param.Name] = &value
		}
	}
	if problems := append(p.CheckURL(a.URL), p.CheckParameters(params, false)...); len(problems) > 0 {
		return Storage{}, Problems(problems)
	}
	return p.NewStorage(a.URL, params, nil)
}

// Section returns the rclone section of an archived destination of the present version,
// renamed to the ID, or says why it cannot be saved.
func (a Archived) Section(id string) (conf string, err error) {
	if !account.ValidUUID(id) {
		return "", errors.New("its ID is no UUID")
	}
	if a.Password == "" || a.RcloneConf == "" {
		return "", errors.New("it was exported without its secrets")
	}
	_, section, err := rcloneconf.Parse(a.RcloneConf)
	if err != nil {
		return "", fmt.Errorf("its rclone section: %w", err)
	}
	return rcloneconf.Format(id, section)
}
