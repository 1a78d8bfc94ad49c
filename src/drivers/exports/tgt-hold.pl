#!/usr/bin/perl
# Runs a command while worker threads of a tgtd are held, so that none of them has a write under way.
#
#     perl tgt-hold.pl PID TIDS MILLISECONDS COMMAND ARGUMENT...
#     perl tgt-hold.pl PID TIDS MILLISECONDS + COMMAND ARGUMENT...
#     perl tgt-hold.pl PID TIDS MILLISECONDS -
#
# PID is the tgtd's, TIDS are its workers to hold, joined by commas; MILLISECONDS is how long the command may take. Exit status 0:
# the command ended well, and they were held from before it began until after it ended. Else the last line of standard error is
# one word: `refused` (the kernel lets nobody trace it), `gone` (the process or one of the threads is not there), `busy` (a
# worker did not come to rest: a slow disk), `failed` (the command did, or who was to speak is gone), `late` (it took too long and
# was killed).
#
# With `+` the command begins before they are held, as whoever waits for the workers waits for all that it does meanwhile. It prints a
# line, `ready`, when it has done what it can do before, and what it is for when it has read a line; at the end of its input it ends and
# does nothing. This helper is such a command then, too, for one that holds the workers of another daemon.
#
# With `-` there is no command: who started it is told `held`, and says on standard input, a word a line, how it goes on.
#
#     bind      is answered with `bound`: from here on they go on when they are let go, or never.
#     let-go    they go on; is answered with `gone on`, and is the end.
#
# Until `bind` whatever ends this helper lets them go on, also that its input ends or that the time is over. After it the same kills
# the tgtd (PTRACE_O_EXITKILL: the kernel does it, also when this helper is killed by SIGKILL): not one write more is done.
#
# How: ptrace, SEIZE and INTERRUPT. The main thread is stopped first, so that nothing new is given to the workers. One that waits in
# futex(2) has nothing under way: no descriptor in a register, no data half written. When all of them do, they are stopped,
# and the main thread goes on: it answers tgtadm, logins and pings, and serves all units whose workers are not held. Only a daemon
# with one worker a unit (`-t 1`) can be treated so: with more, its main thread waits for a stopped one in pthread_cond_signal.
#
# Whatever ends this helper, SIGKILL included, lets threads go on that are not bound: the kernel does that for the threads of a dead
# tracer. SIGSTOP and the freezer of cgroups leave them stopped. Nothing but perl-base is needed. Needs root, or the same user where Yama allows it.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($pid, $tids, $limit_ms, @command) = @ARGV;
my @workers = split /,/, $tids;

# Numbers of the system calls: x86-64, and all architectures that came later.
my ($SYS_PTRACE, $SYS_FUTEX) = qx(uname -m) =~ /x86_64/ ? (101, 202) : (117, 98);
my ($PTRACE_CONT, $PTRACE_DETACH, $PTRACE_SEIZE, $PTRACE_INTERRUPT) = (7, 17, 0x4206, 0x4207);
my ($PTRACE_SETOPTIONS, $PTRACE_O_EXITKILL) = (0x4200, 0x100000);
my ($WNOHANG, $WALL) = (1, 0x40000000);

# By thread id: 'running' or 'stopped'.
my %traced;
my $bound = 0;

sub ptrace {
    my ($request, $tid, $data) = @_;
    return syscall($SYS_PTRACE, $request, $tid + 0, 0, $data // 0) == 0;
}

sub end {
    my ($word) = @_;
    let_go() unless $bound;
    print STDERR "$word\n";
    exit 1;
}

sub let_go {
    for my $tid (keys %traced) {
        # A thread has to be stopped to be detached from. One that cannot be is dead.
        ptrace($PTRACE_DETACH, $tid) if $traced{$tid} eq 'stopped' || stop($tid);
    }
    %traced = ();
}

sub stop {
    my ($tid) = @_;
    ptrace($PTRACE_INTERRUPT, $tid) or return 0;
    for (1 .. 4000) {
        my $changed = waitpid($tid, $WALL | $WNOHANG);
        if ($changed == $tid) {
            # Perl does not tell a stop from an end: the daemon may have been killed.
            return 0 unless shown($tid, 'stat') =~ /\) t /;
            $traced{$tid} = 'stopped';
            return 1;
        }
        return 0 if $changed < 0;
        sleep 0.0005;
    }
    return 0;
}

sub resume {
    my ($tid) = @_;
    ptrace($PTRACE_CONT, $tid);
    $traced{$tid} = 'running';
}

# What the kernel shows of a thread; nothing when it is gone.
sub shown {
    my ($tid, $what) = @_;
    open my $file, '<', "/proc/$pid/task/$tid/$what" or return '';
    return <$file> // '';
}

sub rests { return shown($_[0], 'syscall') =~ /^$SYS_FUTEX / }

sub all_rest { return !grep { !rests($_) } @workers }

# True when all workers are stopped at rest. What was queued before is written first, while the main thread stands still.
sub hold {
    stop($pid) or end('gone');
    my $until = time + 0.5;
    my $quiet = 0;
    while (!($quiet = all_rest()) && time < $until) { sleep 0.0002 }
    if ($quiet) {
        for my $tid (@workers) { stop($tid) or end('gone') }
        # One that had been woken just before is in the middle of something now.
        $quiet = all_rest();
        if (!$quiet) { resume($_) for @workers }
    }
    resume($pid);
    return $quiet;
}

$SIG{$_} = sub { end('failed') } for qw(TERM INT HUP);
# A command that has ended hears nothing.
$SIG{PIPE} = 'IGNORE';

# Begins the command; with streams to talk to it when that is wanted.
sub begin {
    my ($in, $out) = @_;
    my $child = fork;
    end('failed') unless defined $child;
    return $child if $child;
    if ($in) { open STDIN, '<&', $in or exit 127 }
    if ($out) { open STDOUT, '>&', $out or exit 127 }
    exec { $command[0] } @command or exit 127;
}

my $child;
my $telling;
if (@command && $command[0] eq '+') {
    shift @command;
    pipe(my $told, $telling) && pipe(my $asking, my $saying) or end('failed');
    $child = begin($told, $saying);
    close $_ for $told, $saying;
    (readline($asking) // '') eq "ready\n" or end('failed');
    syswrite STDOUT, "ready\n";
    readline(STDIN) // end('failed');
}

for my $tid ($pid, @workers) {
    ptrace($PTRACE_SEIZE, $tid) or end($!{EPERM} ? 'refused' : 'gone');
    $traced{$tid} = 'running';
}
my $held = 0;
for my $try (1 .. 10) {
    last if $held = hold();
    sleep 0.02 * $try;
}
end('busy') unless $held;
# The main thread is not stopped again: it has to answer the command.
if (stop($pid)) { ptrace($PTRACE_DETACH, $pid); delete $traced{$pid} }
else { end('gone') }

my $until = time + $limit_ms / 1000;
my $input = '';

# The next word; nothing when nobody is there who could say one.
sub hear {
    while (index($input, "\n") < 0) {
        my $left = $until - time;
        my $ready = '';
        vec($ready, fileno(STDIN), 1) = 1;
        end('late') if $left <= 0 || !select($ready, undef, undef, $left);
        sysread STDIN, $input, 256, length $input or return '';
    }
    return substr $input, 0, 1 + index($input, "\n"), '';
}

sub obey {
    syswrite STDOUT, "held\n";
    while ((my $word = hear()) ne "let-go\n") {
        end('failed') if $word ne "bind\n";
        $bound = 1;
        for my $tid (@workers) { ptrace($PTRACE_SETOPTIONS, $tid, $PTRACE_O_EXITKILL) or end('gone') }
        syswrite STDOUT, "bound\n";
    }
    all_there() or end('gone');
    let_go();
    syswrite STDOUT, "gone on\n";
    exit 0;
}

# A daemon that was killed meanwhile has taken its threads with it.
sub all_there { return !grep { !-e "/proc/$pid/task/$_" } @workers }

obey() if "@command" eq '-';

if ($child) { syswrite $telling, "held\n" }
else { $child = begin() }
while (waitpid($child, $WNOHANG) == 0) {
    if (time > $until) {
        kill 'KILL', $child;
        waitpid $child, 0;
        end('late');
    }
    sleep 0.0005;
}
my $status = $?;
end('failed') if $status != 0;
all_there() or end('gone');
let_go();
