# The directory is a clone of the project, as is what the page clones itself. What is made
# there is made beside what other tests run; what make deps has made is there. Demo and
# benchmark take little: DIR and QUICK are for every reader to set.
mkdir -p ~/.tmp ~/.template/hooks
cat > ~/.template/hooks/post-checkout <<'END'
#!/bin/bash
mkdir -p .cache
for made in "$PROJECT"/.cache/{restic,npm,arm64,debian-root}; do [[ ! -e $made ]] || ln -s "$made" .cache/; done
cp -al "$PROJECT/.cache/bin" .cache/ 2>/dev/null || cp -a "$PROJECT/.cache/bin" .cache/
END
chmod +x ~/.template/hooks/post-checkout
export PROJECT GIT_TEMPLATE_DIR=~/.template TMPDIR=~/.tmp QUICK=1 DIR=docs
git clone --quiet https://github.com/rclone-gateway/rclone-gateway ~/checkout
cd ~/checkout
