#!/usr/bin/perl
# Makes a file that holds what one moment of a volume held hold what a later one does.
#
#     perl catch-up.pl BEFORE LATER TARGET BYTES_PER_SECOND [held]
#
# BEFORE and LATER are files that share blocks: a reflink of a volume, and a later one, or the volume itself while nobody writes to it.
# TARGET holds what BEFORE holds; BYTES_PER_SECOND is how much may be written, or 0. It is durable in the end, and what is printed is
# how many bytes were copied. How is found out where the two differ is told in `differences.pl`. With `held` it begins when it has read
# a line, and does before what those would wait for else who are to write nothing meanwhile; at the end of its input it does nothing.
use strict;
use warnings;
use IO::Handle;
use Time::HiRes qw(time sleep);

require $0 =~ s{[^/]*$}{differences.pl}r;

my ($before_path, $later_path, $target_path, $rate, $held) = @ARGV;

my ($SYS_FALLOCATE) = qx(uname -m) =~ /x86_64/ ? 285 : 47;
my $PUNCH_HOLE_KEEP_SIZE = 3;
my $PIECE = 1024 * 1024;

my ($before, $later) = map { open my $file, '<:raw', $_ or die "$_: $!\n"; $file } $before_path, $later_path;
open my $target, '+<:raw', $target_path or die "$target_path: $!\n";
if ($held) {
    $later->sync or die "$later_path: $!\n";
    readline(STDIN) // exit 1;
}
my ($begun, $copied) = (time, 0);

sub copy {
    my ($from, $to) = @_;
    sysseek $later, $from, 0 and sysseek $target, $from, 0 or die "seek: $!\n";
    while ($from < $to) {
        my $wanted = $to - $from < $PIECE ? $to - $from : $PIECE;
        my $bytes = '';
        my $read = sysread $later, $bytes, $wanted;
        die "$later_path: " . ($! || 'too short') . "\n" unless $read;
        for (my $done = 0; $done < $read;) {
            $done += syswrite($target, $bytes, $read - $done, $done) // die "$target_path: $!\n";
        }
        $from += $read;
        $copied += $read;
        my $early = $rate > 0 ? $begun + $copied / $rate - time : 0;
        sleep $early if $early > 0;
    }
}

sub punch {
    my ($from, $to) = @_;
    syscall($SYS_FALLOCATE, fileno $target, $PUNCH_HOLE_KEEP_SIZE, $from, $to - $from) == 0 or die "$target_path: $!\n";
}

for (differences($before, $later)) {
    my ($from, $to, $has_data) = @$_;
    if ($has_data) { copy($from, $to) }
    else { punch($from, $to) }
}
$target->sync or die "$target_path: $!\n";
print "$copied\n";
