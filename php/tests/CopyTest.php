<?php

namespace Clank\Tests;

/** A copy of the bundle, as an application has it that was installed apart from the server. */
function copyOfBundle(Folder $folder): string
{
    $bundle = dirname(__DIR__);
    foreach (['src', 'shapes'] as $part) {
        $files = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($bundle.'/'.$part));
        foreach ($files as $file) {
            if ($file->isFile()) {
                $folder->write('copy'.substr($file->getPathname(), strlen($bundle)), file_get_contents($file));
            }
        }
    }

    return $folder->write('copy/autoload.php', file_get_contents($bundle.'/autoload.php'));
}

return [
    'an application that brings its own copy of the bundle runs with the worker\'s' => static function () {
        $project = pageProject();
        $folder = $project->folder;
        $copy = copyOfBundle($folder);
        $autoloader = file_get_contents($folder->path.'/autoload.php');
        $folder->write('autoload.php', str_replace(dirname(__DIR__).'/autoload.php', $copy, $autoloader));
        $worker = $project->worker();
        $worker->open(1);
        same("1 connected\n", $worker->output());
        same('', $worker->errors());
    },
];
