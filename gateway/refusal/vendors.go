package refusal

import "strings"

// A symptom recognizes one fault by the messages of storages.
type symptom struct {
	// marks are texts in lower case, one of which is in the error: codes of the protocols,
	// and words of the backends and of the operating system.
	marks []string
	// denied is true if the storage was reached and accepted the login, but refused.
	denied bool
	// permission is true if the advice depends on the operation.
	permission bool
	advice     string
}

const adviceCredentials = "the storage does not accept the credentials: check the key or user and the secret or password"

const adviceNoBucket = "the bucket, container or share does not exist: create it, or check its name and region"

// adviceDenied is completed by the missing permission.
const adviceDenied = "the storage refuses this to the key or user"

// adviceFiles is for storage with file owners: a directory, or a file server.
const adviceFiles = "the file system refuses this to the gateway's user, or to the one of the section on its server: check owner and mode of the directory"

// sectionFaults are mistakes in the section itself.
var sectionFaults = []symptom{
	{
		marks:  []string{"is it obscured?"},
		advice: `a password in the section is not as rclone writes it: put in what "rclone obscure" makes of it`,
	},
	{
		marks:  []string{"didn't find section in config file"},
		advice: "the section depends on another one that it only names: add that one as a destination of its own, and name it by its ID, as in remote = ID:path",
	},
	{
		marks:  []string{"access_key_id not found", "secret_access_key not found"},
		advice: "the access key ID and the secret access key belong together: give both",
	},
	{
		marks:  []string{"input member key must not be empty", "input member bucket must not be empty"},
		advice: "the path names no bucket: give BUCKET/FOLDER",
	},
	{
		marks:  []string{"passphrase protected", "decryption password incorrect", "cannot decode encrypted private keys"},
		advice: "the private key is protected by a passphrase, which is missing or wrong: give it as key_file_pass, obscured, or make a key without one for the gateway alone",
	},
	{
		marks: []string{
			"failed to read private key", "failed to parse private key", "failed to read public key", "failed to parse public key",
			"couldn't parse known_hosts_file", "service account credentials file",
		},
		advice: "a file that the section names is not there for the gateway, or is no such file: put it on every node, or its content into the section (key_pem in place of key_file)",
	},
	{
		marks:  []string{"knownhosts:", "host key mismatch", "host_keys"},
		advice: "the server's host key is not one that the section accepts: if it is the right server, put its key into the known_hosts_file or the host_keys that the section names",
	},
}

// vendors are searched in order.
var vendors = []symptom{
	{
		marks:  []string{"no such host", "server misbehaving", "temporary failure in name resolution", "dial tcp: lookup "},
		advice: "the server's name cannot be resolved: check the host name, and the DNS of this node",
	},
	{
		marks:  []string{"connection refused"},
		advice: "nothing listens at that address: check host and port, and that the server runs",
	},
	{
		marks:  []string{"no route to host", "network is unreachable", "host is down"},
		advice: "there is no route to the server: check the address, the network and the firewall",
	},
	{
		marks: []string{
			"requesttimetooskewed", "requesttimeskewed", "request time and the current time is too large", "request time and the server's time is too large",
			"date header too old", "certificate has expired or is not yet valid",
		},
		advice: "the clocks of this node and of the storage differ: set this node's clock (timedatectl, NTP), or renew the storage's certificate",
	},
	{
		marks:  []string{"x509:", "certificate", "tls: handshake", "http response to https client", "first record does not look like a tls handshake"},
		advice: "the server's certificate is not trusted, or the server speaks no TLS: check the endpoint's name and scheme, and its certificate",
	},
	{
		marks: []string{
			"invalidaccesskeyid", "signaturedoesnotmatch", "invalidtoken", "expiredtoken", "authfailed", "authenticationfailed",
			"bad_auth_token", "unauthorized", ": 401", "invalid_grant", "invalid_client", "oauth2", "unable to authenticate",
			"status_logon_failure", "logon is invalid", "530 ", "login incorrect", "login authentication failed",
			"couldn't decrypt", "illegal base64", "invalid account", "no ec2 imds role found", "failed to refresh cached credentials", "key is not valid", "no supported methods remain",
		},
		advice: adviceCredentials,
	},
	{
		marks: []string{
			"nosuchbucket", "bucket not found", "containernotfound",
			"status_bad_network_name", "bad network name", "bucket doesn't exist", "no_such_bucket", "share not found",
		},
		advice: adviceNoBucket,
	},
	{
		marks: []string{
			"permanentredirect", "authorizationheadermalformed", "301 moved", "illegallocationconstraint",
		},
		advice: "the bucket is in another region: set the region, or the region's endpoint",
	},
	{
		marks:  []string{"413 request entity too large", "413 payload too large", "413 content too large", "statuscode: 413", "entitytoolarge", "request body too large"},
		denied: true,
		advice: "the storage, or a proxy before it, refuses uploads of that size: raise its limit to 128 MiB or more (client_max_body_size of nginx, LimitRequestBody of Apache)",
	},
	{
		marks:  []string{"no space left", "disk quota exceeded", "quotaexceeded", "insufficientstorage", "507 "},
		denied: true,
		advice: "the storage is full, or its quota is reached: free some space there",
	},
	{
		marks:  []string{"read-only file system"},
		denied: true,
		advice: "the storage is mounted read-only: check the mount and the disk",
	},
	{
		marks:      []string{"permission denied", "operation not permitted"},
		denied:     true,
		permission: true,
		advice:     adviceFiles,
	},
	{
		marks: []string{
			"accessdenied", "access denied", "forbidden", ": 403", "status_access_denied",
			"access is denied", "authorizationpermissionmismatch", "allaccessdisabled", "access_denied", "not authorized",
			"insufficientpermissions", "550 ", "objectlock", "object lock", "worm",
		},
		denied:     true,
		permission: true,
		advice:     adviceDenied,
	},
	{
		marks:  []string{"not a directory"},
		advice: "something on the way to that directory is a file: check the path",
	},
	{
		marks:  []string{"no such file or directory", "directory not found"},
		advice: "the directory does not exist: create it, or mount the disk",
	},
	{
		marks: []string{
			"statuscode: 500", "statuscode: 502", "statuscode: 503", "statuscode: 504",
			"500 internal server error", "502 bad gateway", "503 service unavailable", "504 gateway time",
		},
		advice: "the storage is there, and answers that it cannot serve now: try again in some minutes; if it stays so, its own log or its provider's page of outages says why",
	},
	{
		marks:  []string{"i/o timeout", "deadline exceeded", "timeout", "timed out", "connection reset"},
		advice: adviceSlow,
	},
}

func lower(err error) string { return strings.ToLower(err.Error()) }

// read returns the first symptom in a text in lower case.
func read(among []symptom, text string) (cure Cure, known bool) {
	for _, s := range among {
		for _, mark := range s.marks {
			if strings.Contains(text, mark) {
				return Cure{Text: s.advice, Reached: s.denied, Permission: s.permission, Known: true}, true
			}
		}
	}
	return Cure{}, false
}
