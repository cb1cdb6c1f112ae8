<?php

namespace JDare\ClankBundle\Command;

use JDare\ClankBundle\Server\EntryPoint;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** `clank:server`: starts the server with this application behind it. */
class ServerCommand extends Command
{
    protected static $defaultName = 'clank:server';

    private $entryPoint;

    public function __construct(EntryPoint $entryPoint)
    {
        parent::__construct('clank:server');
        $this->entryPoint = $entryPoint;
    }

    protected function configure(): void
    {
        $this->setDescription('Starts the Clank server with this application')
            ->addArgument('options', InputArgument::IS_ARRAY, 'after --, what `clank server` takes besides');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $output->writeln('Starting Clank');

        return $this->entryPoint->launch($input->getArgument('options'));
    }
}
