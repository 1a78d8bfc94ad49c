#!/usr/bin/perl
# Lets files share all blocks of others, one after another, as soon as it is told to.
#
#     perl clone-files.pl SOURCE TARGET [SOURCE TARGET]...
#
# The targets are there, and are empty. Whoever has a source open is kept waiting meanwhile, so all that can be done before is: the files
# are opened, and what was written to the sources is synced, which a clone would have to do. Then it prints `ready`, and clones when it
# has read a line; at the end of its input it ends and has cloned nothing. `cp --reflink=always` would be a process for each file,
# begun while they wait. Nothing but perl-base is needed.
use strict;
use warnings;

# ioctl_ficlone(2), fdatasync(2): x86-64, and all architectures that came later.
my $FICLONE = 0x40049409;
my $SYS_FDATASYNC = qx(uname -m) =~ /x86_64/ ? 75 : 83;

sub opened {
    my ($mode, $path) = @_;
    open my $file, $mode, $path or die "$path: $!\n";
    return $file;
}

my @pairs;
while (my ($source, $target) = splice @ARGV, 0, 2) {
    push @pairs, [opened('<', $source), opened('+<', $target), $source];
}
for (@pairs) {
    my ($source, undef, $path) = @$_;
    syscall($SYS_FDATASYNC, fileno $source) == 0 or die "$path: $!\n";
}
syswrite STDOUT, "ready\n";
readline(STDIN) // exit 1;
for (@pairs) {
    my ($source, $target, $path) = @$_;
    defined ioctl $target, $FICLONE, fileno $source or die "$path: $!\n";
}
