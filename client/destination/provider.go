package destination

import (
	"regexp"
	"slices"
	"strings"
)

// The providers of NethServer 8.
const (
	Backblaze = "backblaze"
	AWS       = "aws"
	GenericS3 = "generic-s3"
	Azure     = "azure"
	SMB       = "smb"
	Cluster   = "cluster"
	Rclone    = "rclone"
)

// Provider is a kind of storage and the parameters that it needs.
type Provider struct {
	Name string
	// About describes it to people.
	About string
	// URLHint shows the form of its URL; empty if the URL is derived.
	URLHint string
	// Type is the type of its rclone remote; empty if it depends on the parameters.
	Type       string
	Parameters []Parameter

	url *regexp.Regexp
}

// Parameter is a parameter of a provider.
type Parameter struct {
	Name     string // in requests
	Key      string // in the rclone section
	About    string
	Secret   bool
	Optional bool
	NotEmpty bool
}

// Providers lists all providers, in the order in which people are asked.
var Providers = []Provider{
	{
		Name: Backblaze, About: "Backblaze B2", URLHint: "b2:BUCKET/FOLDER", Type: "b2", url: regexp.MustCompile(`^b2:.+$`),
		Parameters: []Parameter{
			{Name: "b2_account_id", Key: "account", About: "key ID"},
			{Name: "b2_account_key", Key: "key", About: "application key", Secret: true},
		},
	},
	{
		Name: AWS, About: "Amazon S3", URLHint: "s3:s3.amazonaws.com/BUCKET/FOLDER", Type: "s3", url: s3URL, Parameters: s3Parameters,
	},
	{
		Name: GenericS3, About: "other S3 storage", URLHint: "s3:ENDPOINT/BUCKET/FOLDER", Type: "s3", url: s3URL, Parameters: s3Parameters,
	},
	{
		Name: Azure, About: "Azure Blob Storage", URLHint: "azure:CONTAINER/FOLDER", Type: "azureblob", url: regexp.MustCompile(`^azure:.+$`),
		Parameters: []Parameter{
			{Name: "azure_account_name", Key: "account", About: "storage account"},
			{Name: "azure_account_key", Key: "key", About: "account key", Secret: true},
		},
	},
	{
		Name: SMB, About: "Windows or Samba share", URLHint: "smb:SHARE/FOLDER", Type: "smb", url: regexp.MustCompile(`^smb:.+$`),
		Parameters: []Parameter{
			{Name: "smb_host", Key: "host", About: "host name or address", NotEmpty: true},
			{Name: "smb_user", Key: "user", About: "user", NotEmpty: true},
			{Name: "smb_pass", Key: "pass", About: "password", Secret: true},
			{Name: "smb_domain", Key: "domain", About: "domain, in its short form"},
		},
	},
	{
		Name: Cluster, About: "disk of a node of this cluster", URLHint: "webdav:http://NODE_VPN_ADDRESS:4694", Type: "local",
		url: regexp.MustCompile(`^webdav:.+$`),
	},
	{
		Name: Rclone, About: "any remote that rclone knows, by its section of rclone.conf",
		Parameters: []Parameter{
			{Name: ParamConf, About: "section of rclone.conf", Secret: true},
			{Name: ParamConfB64, About: "the same in Base64", Secret: true, Optional: true},
			{Name: ParamBasePath, About: "path on the remote", Optional: true},
		},
	},
}

// The parameters of provider rclone.
const (
	ParamConf     = "rclone_conf_secret"
	ParamConfB64  = "rclone_conf_b64_secret"
	ParamBasePath = "basepath"
)

// s3URL matches endpoint/bucket, with or without a scheme.
var s3URL = regexp.MustCompile(`^s3:(https?://[^/]+|[^/]*[^/:])/.+$`)

var s3Parameters = []Parameter{
	{Name: "aws_access_key_id", Key: "access_key_id", About: "access key ID"},
	{Name: "aws_secret_access_key", Key: "secret_access_key", About: "secret access key", Secret: true},
	{Name: "aws_default_region", Key: "region", About: "region", Optional: true},
}

// ProviderOf returns the provider of that name.
func ProviderOf(name string) (Provider, bool) {
	i := slices.IndexFunc(Providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return Providers[i], true
}

// DefaultName returns the name of a destination without one.
func DefaultName(provider, url, id string) string {
	switch provider {
	case AWS:
		if _, bucket, ok := strings.Cut(url, "/"); ok && bucket != "" {
			return "AWS " + bucket
		}
	case Backblaze:
		if _, bucket, ok := strings.Cut(url, ":"); ok && bucket != "" {
			return "Backblaze " + bucket
		}
	}
	return provider + " " + id[:min(4, len(id))]
}

// PublicParameters returns the parameters that a section was made from; secret ones are
// empty. Of a pasted section it returns only the type.
func PublicParameters(section map[string]string) map[string]string {
	for _, p := range Providers {
		if p.Type == "" || p.Type != section["type"] || p.Name == Cluster {
			continue
		}
		public := make(map[string]string, len(p.Parameters))
		for _, param := range p.Parameters {
			value, found := section[param.Key]
			switch {
			case param.Secret:
				public[param.Name] = ""
			case found || !param.Optional:
				public[param.Name] = value
			}
		}
		return public
	}
	return map[string]string{"type": section["type"]}
}
