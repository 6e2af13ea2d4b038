package integration

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// s3Admin is the owner of a MinIO server.
type s3Admin struct {
	*s3.Client

	endpoint string
}

var ownerOfS3 = aws.Credentials{AccessKeyID: s3AccessKey, SecretAccessKey: s3SecretKey}

func adminOf(s *storageServer) s3Admin {
	endpoint := "http://" + s.link.address
	return s3Admin{s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return ownerOfS3, nil }),
	}), endpoint}
}

// lockedBucket makes a bucket whose objects are kept for a day.
func (a s3Admin) lockedBucket(t *testing.T, name string, mode types.ObjectLockRetentionMode) {
	t.Helper()
	_, err := a.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
		Bucket: &name,
		ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: mode, Days: aws.Int32(1)}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// versions counts the versions and the delete markers of a bucket.
func (a s3Admin) versions(t *testing.T, bucket, prefix string) (versions, markers int) {
	t.Helper()
	list, err := a.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &prefix})
	if err != nil {
		t.Fatal(err)
	}
	return len(list.Versions), len(list.DeleteMarkers)
}

// reader makes a key that may only read the bucket.
func (a s3Admin) reader(t *testing.T, bucket string) (section map[string]string) {
	t.Helper()
	return a.key(t, bucket, `"s3:GetObject","s3:ListBucket","s3:GetBucketLocation"`)
}

// key makes a key that may do those actions in the bucket.
func (a s3Admin) key(t *testing.T, bucket, actions string) (section map[string]string) {
	t.Helper()
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],` +
		`"Resource":["arn:aws:s3:::` + bucket + `","arn:aws:s3:::` + bucket + `/*"]}]}`
	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "DurationSeconds": {"3600"}, "Policy": {policy}}.Encode()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.endpoint+"/", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Amz-Content-Sha256", nameOf([]byte(form)))
	if err := v4.NewSigner().SignHTTP(t.Context(), ownerOfS3, req, nameOf([]byte(form)), "sts", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Credentials struct {
			AccessKeyID                   string `xml:"AccessKeyId"`
			SecretAccessKey, SessionToken string
		} `xml:"AssumeRoleResult>Credentials"`
	}
	if err := xml.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Credentials.SessionToken == "" {
		t.Fatalf("AssumeRole: %s, %v", resp.Status, err)
	}
	return map[string]string{
		"type": "s3", "provider": "Minio", "endpoint": a.endpoint, "access_key_id": answer.Credentials.AccessKeyID,
		"secret_access_key": answer.Credentials.SecretAccessKey, "session_token": answer.Credentials.SessionToken,
	}
}

// onS3 is a destination in a bucket.
func onS3(id, bucket string, section map[string]string) redistest.Destination {
	conf := "[" + id + "]\n"
	for key, value := range section {
		conf += key + " = " + value + "\n"
	}
	return redistest.Destination{ID: id, Name: bucket, Provider: "rclone", URL: "rclone:" + id, BasePath: bucket + "/servers", RcloneConf: conf}
}

const (
	governedDest  = "3d0b6a52-2f0e-4a57-8a86-7a1c5b0e4e01"
	compliantDest = "3d0b6a52-2f0e-4a57-8a86-7a1c5b0e4e02"
)

// TestABucketWithRetentionTakesBackups backs up, unlocks and prunes in buckets whose
// objects are kept for a day, which take no upload without a checksum.
func TestABucketWithRetentionTakesBackups(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	admin := adminOf(s)
	c := newCluster(t)
	buckets := map[string]string{governedDest: "governed", compliantDest: "compliant"}
	admin.lockedBucket(t, "governed", types.ObjectLockRetentionModeGovernance)
	admin.lockedBucket(t, "compliant", types.ObjectLockRetentionModeCompliance)
	for id, bucket := range buckets {
		c.AddDestinations(onS3(id, bucket, s.section(s.secret)))
	}
	g := c.serve(t)
	for id, bucket := range buckets {
		t.Run(bucket, func(t *testing.T) {
			t.Parallel()
			module := newRestic(t, "RESTIC_0_18", g.url+"/"+id, mailRepo, "module/mail1")
			node := newRestic(t, "RESTIC_0_18", g.url+"/"+id, mailRepo, "node/1")
			tree := storageTree(t, 1<<20)
			module.seed(t, 2)
			module.run(t, "backup", tree)
			writeFile(t, filepath.Join(tree, "random"), []byte("no more"))
			module.run(t, "backup", tree)
			module.wantRestored(t, tree)
			node.run(t, "forget", "--keep-last", "1", "--prune")
			node.run(t, "check", "--read-data")

			// What was deleted is hidden at once, and stays until its time is over.
			if locks := g.node().want(t, http.StatusOK, http.MethodGet, "/"+id+"/"+mailRepo+"/locks/", nil); string(locks.body) != "[]" {
				t.Errorf("locks: %s", locks.body)
			}
			if versions, markers := admin.versions(t, bucket, "servers/"+mailRepo+"/locks/"); versions == 0 || markers != versions {
				t.Errorf("%d locks are kept, with %d marks that they are deleted", versions, markers)
			}
			check := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, []byte(`{"id":"`+id+`"}`))
			if !strings.Contains(string(check.body), "the storage keeps every object until ") {
				t.Errorf("the check says nothing of the retention: %s", check.body)
			}
			key := "servers/" + mailRepo + "/config"
			head, err := admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil || head.ChecksumSHA256 == nil || head.ObjectLockRetainUntilDate == nil {
				t.Errorf("the config has neither checksum nor retention: %+v, %v", head, err)
			}
		})
	}
}

// TestAnUploadDamagedOnItsWayIsNotStored changes a byte of a pack between the gateway
// and the storage, which notices.
func TestAnUploadDamagedOnItsWayIsNotStored(t *testing.T) {
	t.Parallel()
	s := startMinIO(t)
	var damaging atomic.Bool
	server, _ := url.Parse("http://" + s.link.address)
	way := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(server)
		p.Out.Host = p.In.Host
		if p.Out.Method == http.MethodPut && damaging.Load() {
			p.Out.Body = &damagedBody{ReadCloser: p.Out.Body}
		}
	}})
	t.Cleanup(way.Close)
	c := newCluster(t)
	section := s.section(s.secret)
	section["endpoint"] = way.URL
	c.AddDestinations(onS3(moreDest, "backups", section))
	g := c.serve(t)
	base := "/" + moreDest + "/" + mailRepo
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil)
	content, name := blob(1 << 20)

	damaging.Store(true)
	g.module("mail1").want(t, http.StatusBadGateway, http.MethodPost, base+"/data/"+name, content)
	damaging.Store(false)
	g.module("mail1").want(t, http.StatusNotFound, http.MethodHead, base+"/data/"+name, nil)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
}

// damagedBody changes the first byte that passes.
type damagedBody struct {
	io.ReadCloser

	done bool
}

func (b *damagedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && !b.done {
		p[0] ^= 1
		b.done = true
	}
	return n, err
}
